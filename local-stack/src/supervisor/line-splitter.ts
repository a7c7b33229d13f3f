const longestLine = 65_536;

/** Turns chunks of output into whole lines; a line without end is cut rather than kept for ever. */
export function splitLines(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) {
      onLine(line);
    }
  };
}
