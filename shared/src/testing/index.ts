export { eventually } from './eventually.ts';
export { testNamespace } from './namespace.ts';
export { givenHold, givenOrder, newId } from './orders.ts';
