import { randomBytes } from 'node:crypto';

/** A NAMESPACE that nothing else uses: servers are shared by all test files and never flushed. */
export function testNamespace(name: string): string {
  return `t_${name}_${randomBytes(5).toString('hex')}`;
}
