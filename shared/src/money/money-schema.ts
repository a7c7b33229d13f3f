import { z } from 'zod';
import { fromWire } from './money.ts';

/** Highest price: far below what twenty items of a hundred could overflow. */
const highest = 1_000_000_000;

/** An amount on the wire: a number with at most two decimals; parsed to minor units. */
export const money = z
  .number()
  .min(0)
  .max(highest)
  .refine((amount) => Number(amount.toFixed(2)) === amount, 'at most two decimals')
  .transform(fromWire);
