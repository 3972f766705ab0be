// Tries the built page in Chromium, in front of the mock gateway: node test.mjs [what a test is called]
//
// Screenshots go to $SHOTS, if that is set.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import puppeteer from 'puppeteer-core';

import { Mock } from './mock.mjs';
import { World } from './mock/world.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = process.env.SHOTS;
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));

/** A page in front of a mock gateway. */
class Visit {
  said = [];

  static async begin(browser, world, { token = '', width = 1280, height = 900, scheme = 'dark' } = {}) {
    const visit = new Visit();
    visit.mock = new Mock(world);
    visit.mock.token = token;
    visit.context = await browser.createBrowserContext();
    visit.page = await visit.context.newPage();
    await visit.page.setViewport({ width, height, isMobile: width < 600, hasTouch: width < 600 });
    await visit.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    visit.page.on('console', message => ['error', 'warn'].includes(message.type()) && visit.said.push(message.text()));
    visit.page.on('pageerror', error => visit.said.push(String(error)));
    await visit.page.evaluateOnNewDocument(() => addEventListener('securitypolicyviolation', event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
    await visit.page.goto(await visit.mock.listen());
    return visit;
  }

  async end() {
    await this.context.close();
    this.mock.close();
  }

  async see(selector, text = '', patience = 3_000) {
    const seen = () => this.page.$$eval(selector, (all, text) => all.some(one => one.checkVisibility() && one.innerText.includes(text)), text);
    await this.until(seen, `${selector} with "${text}"`, patience);
  }

  async miss(selector, text = '', patience = 3_000) {
    const missing = async () => !await this.page.$$eval(selector, (all, text) => all.some(one => one.checkVisibility() && one.innerText.includes(text)), text);
    await this.until(missing, `no ${selector} with "${text}"`, patience);
  }

  async until(holds, what, patience) {
    for (const end = Date.now() + patience; !await holds();) {
      assert.ok(Date.now() < end, `waited ${patience} ms for ${what}`);
      await sleep(50);
    }
  }

  count(selector) {
    return this.page.$$eval(selector, all => all.length);
  }

  async press(name) {
    await this.page.locator(`::-p-aria(${name})`).click();
  }

  /** Requests fail while the gateway is away, which the browser reports by itself. */
  complaints() {
    return this.said.filter(text => !/Failed to load resource|net::ERR/.test(text));
  }

  /** A video is not loaded for that: the mock has none. */
  async axe() {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run({ preload: false, rules: { 'no-autoplay-audio': { enabled: false } } }));
    return violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map(node => node.target).slice(0, 3).join(' | ')}`);
  }

  /** What reaches beyond the padding of its panel. */
  overflow() {
    return this.page.evaluate(() => [...document.querySelectorAll('.panel, .strip > div')].flatMap(panel => {
      const edge = panel.getBoundingClientRect().right - parseFloat(getComputedStyle(panel).paddingRight) + 1;
      const inside = [...panel.querySelectorAll(':scope :not(.last, .last *, .unseen, svg *, .plot *)')];
      return inside.filter(one => one.checkVisibility() && one.getBoundingClientRect().right > edge).map(one => `${panel.className}: ${one.className || one.tagName}`);
    }));
  }

  async shoot(name) {
    if (SHOTS) await this.page.screenshot({ path: `${SHOTS}${name}.png`, fullPage: true });
  }
}

const TESTS = {
  async 'cards appear and go'(visit) {
    await visit.see('.card h3', 'ZDF HD');
    assert.equal(await visit.count('.card'), 4);
    await visit.see('h1', 'Everything is fine');
    await visit.see('.card .who', 'Anna');
    await visit.see('.card .going', 'Stays while it is watched');
    await visit.see('.card .going', 'if nobody comes');
    const id = visit.mock.change(world => world.begin(9));
    await visit.see('.card h3', 'BBC One London');
    visit.mock.change(world => world.end(id));
    await visit.miss('.card h3', 'BBC One London');
  },

  async 'a card shows what its stream shows, where there is a picture'(visit) {
    await visit.see('.card .picture');
    const shown = await visit.page.$$eval('.card .picture', all => all.map(one => [one.naturalWidth, one.alt]));
    assert.ok(shown.every(([width, alt]) => width > 0 && alt.startsWith('What ')), JSON.stringify(shown));
    assert.ok(shown.length < await visit.count('.card'), 'one has none');
    assert.equal(new Set(visit.mock.asked).size, visit.mock.asked.length, 'each is asked for once in ten seconds');
  },

  async 'a stream is looked at, and what cannot be played is told'(visit) {
    await visit.see('.card');
    await visit.press('Look at ZDF HD');
    await visit.see('.card .player video');
    await visit.see('.player', 'It cannot be played here');
    assert.deepEqual(await visit.axe(), []);
    await visit.press('Look at ZDF HD');
    await visit.miss('.card .player');
  },

  async 'a countdown goes on between two states'(visit) {
    const left = () => visit.page.$eval('.card.idle .going b', one => one.textContent);
    await visit.see('.card.idle .going b');
    const before = await left();
    await visit.until(async () => await left() !== before, 'another countdown', 3_000);
  },

  async 'a failing stream is told in words'(visit) {
    await visit.see('.card');
    visit.mock.change(world => world.set(2, { state: 'backing-off', failure: 'unreachable', retry_in: 8 }));
    await visit.see('.card .why', 'Jellyfin could not be reached');
    await visit.see('h1', 'One thing needs a look');
    await visit.see('.worry', 'ZDF HD does not run');
    await visit.shoot('failing');
    assert.deepEqual(await visit.axe(), []);
  },

  async 'a zap appears, and one is looked at'(visit) {
    await visit.see('.plot canvas');
    visit.mock.zap('cold');
    await visit.see('.strip .figure.cold', 's');
    await visit.see('.detail dt', 'Jellyfin opens the channel');
    await visit.page.click('.last li:nth-child(3) .zap');
    await visit.see('.last li:nth-child(3) .zap[aria-pressed=true]');
    visit.mock.zap('conflict');
    await visit.see('.last li:nth-child(1) .reason', 'all tuners are needed');
    await visit.see('.last li:nth-child(4) .zap[aria-pressed=true]');
  },

  async 'a point of the timeline is chosen'(visit) {
    await visit.see('.plot canvas');
    await visit.page.$eval('.plot', one => one.scrollIntoView());
    const box = await visit.page.$eval('.plot .u-over', one => one.getBoundingClientRect().toJSON());
    for (let x = box.right - 10; x > box.left && !await visit.count('.u-over.near'); x -= 6) await visit.page.mouse.move(x, box.top + box.height * 0.4);
    await visit.see('.tip', ':');
    const told = await visit.page.$eval('.tip', one => one.textContent);
    await visit.shoot('tip');
    await visit.page.mouse.down();
    await visit.page.mouse.up();
    await visit.see('.detail h3', told.split(':')[0]);
  },

  async 'buttons stop and kick after asking'(visit) {
    await visit.see('.card');
    await visit.press('Stop ZDF HD');
    await visit.see('dialog', 'watches it now');
    await visit.shoot('question');
    assert.deepEqual(await visit.axe(), []);
    await visit.page.keyboard.press('Escape');
    await visit.miss('dialog');
    assert.equal(await visit.count('.card'), 4);
    await visit.press('Stop ZDF HD');
    await visit.page.click('dialog .act');
    await visit.see('.notice', 'ZDF HD is stopped');
    await visit.miss('.card h3', 'ZDF HD');
    await visit.press('Send Anna away');
    await visit.page.click('dialog .act');
    await visit.see('.notice', 'Anna is sent away');
    await visit.press('Stop arte HD');
    await visit.miss('.card h3', 'arte HD');
  },

  async 'a channel is warmed up and let go'(visit) {
    await visit.see('.card');
    await visit.press('Warm a channel up');
    await visit.see('.chooser', '12 BBC One London');
    assert.equal(await visit.page.$$eval('.chooser option', all => all.some(one => one.textContent.includes('ZDF'))), false, 'it runs');
    await visit.page.select('.chooser select', await visit.page.$eval('.chooser option:nth-last-child(3)', one => one.value));
    await visit.shoot('chooser');
    await visit.press('Warm up');
    await visit.see('.warmed .card h3', 'BBC One London');
    await visit.see('.warmed .state', 'being opened');
    await sleep(1_100);
    visit.mock.change(() => 0);
    await visit.see('.warmed .state', 'warmed up');
    await visit.see('.warmed .going', 'if nobody comes');
    await visit.shoot('warmed');
    assert.deepEqual(await visit.axe(), []);
    assert.deepEqual(await visit.overflow(), []);
    await visit.press('Let go of BBC One London');
    await visit.miss('.warmed .card');
  },

  async 'a stream is pinned'(visit) {
    await visit.see('.card.idle .going', 'if nobody comes');
    await visit.press('Pin arte HD');
    await visit.see('.card.idle .going', 'Stays until its place is needed');
    assert.equal(await visit.count('.card button[aria-pressed=true]'), 1);
    await visit.press('Pin arte HD');
    await visit.see('.card.idle .going', 'if nobody comes');
  },

  async 'what is refused is told'(visit) {
    await visit.see('.card');
    visit.mock.refusal = [404, 'Not Found', 'There is none of this id, or it has gone'];
    await visit.press('Stop arte HD');
    await visit.see('.notice.wrong', 'it has gone');
    await visit.shoot('refused');
    await visit.press('OK: Not Found');
    await visit.miss('.notice');
  },

  async 'a page that is out of date says so within 5 s, and recovers by itself'(visit) {
    await visit.see('.card');
    const lost = Date.now();
    visit.mock.fall();
    await visit.see('.banner p', 'Out of date', 5_000);
    assert.ok(Date.now() - lost < 5_000);
    await visit.shoot('stale');
    assert.deepEqual(await visit.axe(), []);
    assert.match(await visit.page.title(), /out of date/);
    visit.mock.way = 'up';
    await visit.miss('.banner p', 'Out of date', 5_000);
    const zap = visit.mock.zap('hit');
    await visit.see('.last li:first-child .channel', zap.channel.name);
    assert.deepEqual(await visit.page.$$eval('.notice', all => all.length), 0, 'it is the same run');
  },

  async 'so does one that hears nothing more'(visit) {
    await visit.see('.card');
    visit.mock.way = 'silent';
    await visit.see('.banner p', 'Out of date', 5_500);
    visit.mock.way = 'up';
    await visit.miss('.banner p', 'Out of date', 10_000);
  },

  async 'a restart is told, and everything begins anew'(visit) {
    await visit.see('.last .zap');
    visit.mock.fall();
    visit.mock.world.restart();
    await sleep(500);
    visit.mock.way = 'up';
    await visit.see('.notice', 'has been restarted', 6_000);
    await visit.see('.empty', 'No channel runs');
    await visit.see('.empty', 'Nobody has zapped yet');
    await visit.shoot('empty-after');
    visit.mock.change(world => world.begin(3));
    visit.mock.zap('cold');
    await visit.see('.card h3', '3sat HD');
    await visit.see('.last .zap');
    assert.equal(await visit.count('.last .zap'), 1);
  },

  async 'colours can be changed'(visit) {
    await visit.see('.card');
    const ground = () => visit.page.$eval('body', one => getComputedStyle(one).backgroundColor);
    const dark = await ground();
    await visit.press('Colours: as the system. Change to light.');
    await visit.until(async () => await ground() !== dark, 'a light ground', 1_000);
    await visit.page.reload();
    await visit.see('.card');
    assert.notEqual(await ground(), dark, 'it is remembered');
  },
};

const OWN = {
  async 'a token is asked for'(browser) {
    const visit = await Visit.begin(browser, new World(), { token: 'secret' });
    await visit.see('form', 'token');
    await visit.shoot('token');
    const found = await visit.axe();
    await visit.page.type('#token', 'wrong');
    await visit.page.keyboard.press('Enter');
    await visit.see('form [role=alert]', 'does not accept');
    await visit.page.$eval('#token', one => { one.value = ''; });
    await visit.page.type('#token', 'secret');
    await visit.page.keyboard.press('Enter');
    await visit.see('.card h3', 'ZDF HD');
    await visit.page.reload();
    await visit.see('.card h3', 'ZDF HD');
    assert.deepEqual([...found, ...visit.complaints()], []);
    await visit.end();
  },
};

const LOOKS = [];
for (const scheme of ['dark', 'light']) {
  for (const width of [390, 1280]) LOOKS.push({ name: `${width}-${scheme}`, width, scheme, world: () => new World({ streams: 6 }) });
}
LOOKS.push(
  { name: '1280-none', width: 1280, world: () => new World({ streams: 0, zaps: 0 }) },
  { name: '390-none', width: 390, world: () => new World({ streams: 0, zaps: 0 }) },
  { name: '1280-one', width: 1280, scheme: 'light', world: () => new World({ streams: 1, zaps: 1 }) },
  { name: '1280-twelve', width: 1280, world: () => new World({ streams: 12, zaps: 700 }) },
  { name: '390-twelve', width: 390, scheme: 'light', world: () => new World({ streams: 12, zaps: 700 }) },
  { name: '820-six', width: 820, world: () => new World({ streams: 6 }) },
);

for (const { name, width, scheme, world } of LOOKS) {
  OWN[`it is accessible and fits: ${name}`] = async browser => {
    const visit = await Visit.begin(browser, world(), { width, scheme });
    await visit.see('main', '', 5_000);
    await sleep(400);
    await visit.shoot(name);
    const found = await visit.axe();
    assert.deepEqual([...found, ...visit.complaints()], []);
    assert.deepEqual(await visit.overflow(), []);
    await visit.end();
  };
}

for (const [name, test] of Object.entries(TESTS)) {
  OWN[name] = async browser => {
    const visit = await Visit.begin(browser, new World());
    try {
      await test(visit);
      assert.deepEqual(visit.complaints(), []);
    } finally {
      await visit.end();
    }
  };
}

const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const wanted = Object.entries(OWN).filter(([name]) => name.includes(process.argv[2] ?? ''));
let failed = 0;
for (const [name, test] of wanted) {
  try {
    await test(browser);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}
await browser.close();
console.log(`${wanted.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
