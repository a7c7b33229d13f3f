// Loaded before a service (`node --import`): its clock is wrong by what a file says, in milliseconds.
// Timers go by the monotonic clock and are right, as they are on a machine whose time is set.
import { readFileSync } from 'node:fs';

const file = process.env.QUICKSALE_CHAOS_CLOCK_FILE;
const lookEveryMs = 100;
const RealDate = globalThis.Date;
let shiftMs = 0;

function look() {
  try {
    shiftMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    shiftMs = 0;
  }
}

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
};

if (file) {
  look();
  setInterval(look, lookEveryMs).unref();
}
