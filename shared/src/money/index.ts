export { fromWire, toWire } from './money.ts';
export { money } from './money-schema.ts';
