/** The short form of a service's log line worth a developer's attention, if it is one. */
export function noteworthy(line: string): string | undefined {
  if (line === '') {
    return undefined;
  }
  if (!line.startsWith('{')) {
    // Not from the logger: a stack trace or a start-up failure in words.
    return line.slice(0, 200);
  }
  const entry = parse(line);
  const level = String(entry?.level);
  if (entry === undefined || !['warn', 'error', 'fatal'].includes(level)) {
    return undefined;
  }
  const cause = isRecord(entry.err) ? ` (${String(entry.err.message)})` : '';
  return `${level}: ${String(entry.msg)}${cause}`.slice(0, 300);
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
