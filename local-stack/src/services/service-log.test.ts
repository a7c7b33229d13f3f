import { describe, expect, test } from '@jest/globals';
import { noteworthy } from './service-log.ts';

describe('noteworthy', () => {
  test('says a warning or an error with its cause', () => {
    const line = JSON.stringify({ level: 'error', msg: 'no start', err: { message: 'refused' } });
    expect(noteworthy(line)).toBe('error: no start (refused)');
    expect(noteworthy(JSON.stringify({ level: 'warn', msg: 'slow' }))).toBe('warn: slow');
  });

  test('is silent about the rest', () => {
    expect(noteworthy(JSON.stringify({ level: 'info', msg: 'started' }))).toBeUndefined();
    expect(noteworthy('')).toBeUndefined();
    expect(noteworthy('{"cut')).toBeUndefined();
  });

  test('passes on words that are no log line', () => {
    expect(noteworthy('Error: boom')).toBe('Error: boom');
  });
});
