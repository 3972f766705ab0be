// Draws zaps on uPlot's axes: the moment to the right, the wait upward, those without a picture in a lane on top.
import uPlot from 'uplot';

import { SHAPES } from './shapes.js';
import { limit } from '../words/units.js';

/** The waits at the bottom and at the top of the plot, and where those without a picture are; in seconds. */
const LEAST = 0.02, MOST = 75, NONE = 45, LANE = 28;
const MARKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, NONE];
/** How far a pointer may be from a zap, in pixels. */
const REACH = 22;
const LETTERS = 'system-ui, "DejaVu Sans", sans-serif';

export class Plot {
  #plot; #place; #sizes; #colours = {};
  #zaps = []; #shown = null; #goal = null; #range = [0, 1]; #hovered = null;

  constructor(place, { choose, hover }) {
    this.#place = place;
    this.colour();
    this.#plot = new uPlot(this.#options(), [[], []], place);
    this.#sizes = new ResizeObserver(() => this.#plot.setSize(this.#size()));
    this.#sizes.observe(place);
    const { over } = this.#plot;
    over.addEventListener('pointermove', event => this.#hover(this.#nearest(event), hover));
    over.addEventListener('pointerleave', () => this.#hover(null, hover));
    over.addEventListener('click', event => {
      const zap = this.#nearest(event);
      if (zap) choose(zap);
    });
  }

  end() {
    this.#sizes.disconnect();
    this.#plot.destroy();
  }

  /** Shows `zaps` between the moments of `range`, in seconds. */
  show(zaps, shown, [from, to], goal) {
    this.#zaps = zaps.map(zap => ({ zap, x: Date.parse(zap.at) / 1000, y: height(zap) }));
    const margin = Math.max((to - from) * 0.02, 30);
    this.#shown = shown;
    this.#goal = goal;
    this.#range = [from - margin, to + margin];
    this.#plot.setData([this.#zaps.map(({ x }) => x), this.#zaps.map(({ y }) => y)]);
  }

  /** Reads the colours anew. */
  colour() {
    const probe = this.#place.appendChild(document.createElement('span'));
    for (const name of ['text', 'quiet', 'line', 'panel', ...Object.keys(SHAPES)]) {
      probe.style.color = `var(--${name})`;
      this.#colours[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    this.#plot?.redraw();
  }

  #size() {
    return { width: this.#place.clientWidth, height: this.#place.clientHeight };
  }

  #options() {
    const font = `12px ${LETTERS}`, quiet = () => this.#colours.quiet;
    const grid = { stroke: () => this.#colours.line, width: 1 };
    return {
      ...this.#size(),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => this.#range }, y: { distr: 3, range: [LEAST, MOST] } },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [
        { font, stroke: quiet, grid: { show: false }, ticks: { show: false }, size: 28, space: 70, values: (plot, moments) => this.#times(plot, moments) },
        {
          font, stroke: quiet, grid, ticks: { show: false }, size: 62, splits: () => MARKS, filter: (_, marks) => marks,
          values: (_, marks) => marks.map(mark => (mark === NONE ? 'nothing' : limit(mark))),
        },
      ],
      hooks: { draw: [() => this.#draw()] },
    };
  }

  /** Times that would reach beyond the edge are left out. */
  #times(plot, moments) {
    const ROOM = 32;
    return clock(moments).map((time, at) => (plot.valToPos(moments[at], 'x') > plot.over.clientWidth - ROOM ? '' : time));
  }

  #draw() {
    const { ctx, bbox } = this.#plot;
    ctx.save();
    if (this.#goal) this.#line(this.#goal, [4, 4], this.#colours.quiet);
    this.#line(LANE, [], this.#colours.line);
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const point of this.#zaps) this.#mark(point);
    const special = this.#zaps.filter(({ zap }) => zap.id === this.#shown || zap === this.#hovered);
    for (const point of special) this.#ring(point);
    if (this.#goal) this.#name(this.#goal, `goal ${limit(this.#goal)}`);
    ctx.restore();
  }

  #line(at, dashes, colour) {
    const { ctx, bbox } = this.#plot, y = Math.round(this.#plot.valToPos(at, 'y', true)) + 0.5;
    ctx.strokeStyle = colour;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash(dashes.map(dash => dash * uPlot.pxRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /** Names a line at its left end. */
  #name(at, text) {
    const { ctx, bbox } = this.#plot, x = bbox.left + 6 * uPlot.pxRatio, y = this.#plot.valToPos(at, 'y', true) - 6 * uPlot.pxRatio;
    ctx.font = `${12 * uPlot.pxRatio}px ${LETTERS}`;
    ctx.textAlign = 'left';
    ctx.lineJoin = 'round';
    ctx.lineWidth = 4 * uPlot.pxRatio;
    ctx.strokeStyle = this.#colours.panel;
    ctx.strokeText(text, x, y);
    ctx.fillStyle = this.#colours.quiet;
    ctx.fillText(text, x, y);
  }

  #mark({ zap, x, y }) {
    const { ctx } = this.#plot, { d, filled } = SHAPES[zap.outcome], path = new Path2D(d);
    ctx.save();
    ctx.translate(this.#plot.valToPos(x, 'x', true), this.#plot.valToPos(y, 'y', true));
    ctx.scale(0.85 * uPlot.pxRatio, 0.85 * uPlot.pxRatio);
    ctx.globalAlpha = 0.9;
    ctx.lineWidth = 2;
    ctx.fillStyle = ctx.strokeStyle = this.#colours[zap.outcome];
    filled ? ctx.fill(path) : ctx.stroke(path);
    ctx.restore();
  }

  #ring({ x, y }) {
    const { ctx } = this.#plot;
    ctx.beginPath();
    ctx.arc(this.#plot.valToPos(x, 'x', true), this.#plot.valToPos(y, 'y', true), 9 * uPlot.pxRatio, 0, 7);
    ctx.lineWidth = 1.5 * uPlot.pxRatio;
    ctx.strokeStyle = this.#colours.text;
    ctx.stroke();
  }

  #nearest({ offsetX, offsetY }) {
    let nearest = null, least = REACH;
    for (const { zap, x, y } of this.#zaps) {
      const distance = Math.hypot(this.#plot.valToPos(x, 'x') - offsetX, this.#plot.valToPos(y, 'y') - offsetY);
      if (distance < least) [nearest, least] = [zap, distance];
    }
    return nearest;
  }

  #hover(zap, tell) {
    if (zap === this.#hovered) return;
    this.#hovered = zap;
    const { over } = this.#plot;
    over.classList.toggle('near', zap !== null);
    const x = zap && this.#plot.valToPos(Date.parse(zap.at) / 1000, 'x'), y = zap && this.#plot.valToPos(height(zap), 'y');
    tell(zap, { left: over.offsetLeft + x, top: over.offsetTop + y });
    this.#plot.redraw(false);
  }
}

const height = zap => (zap.waited === undefined ? NONE : Math.min(Math.max(zap.waited, LEAST * 1.1), LANE * 0.95));

/** Times of the day; days too where there are several. */
function clock(moments) {
  const dates = moments.map(moment => new Date(moment * 1000)), step = moments[1] - moments[0];
  const days = new Set(dates.map(date => date.toDateString())).size;
  return dates.map(date => {
    if (days > 1 && step >= 86_400) return date.toLocaleDateString([], { day: 'numeric', month: 'short' });
    const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', ...(step < 60 && { second: '2-digit' }) });
    return days > 1 ? `${date.toLocaleDateString([], { weekday: 'short' })} ${time}` : time;
  });
}
