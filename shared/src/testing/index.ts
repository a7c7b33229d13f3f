export { eventually } from './eventually.ts';
export { forEachAbreast } from './for-each-abreast.ts';
export { testNamespace } from './namespace.ts';
export { givenHold, givenOrder, newId } from './orders.ts';
