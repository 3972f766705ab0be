// An age or a countdown that goes on between two states, redrawing nothing but itself.
import { older, sooner } from '../live/store.js';
import { age, countdown } from '../words/units.js';

export const Age = ({ seconds }) => <>{age(older(seconds))}</>;

export const Countdown = ({ seconds }) => <>{countdown(sooner(seconds))}</>;
