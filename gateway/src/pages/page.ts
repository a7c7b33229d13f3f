/** Text for HTML. */
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Text for HTML in which code stands between backticks. */
const withCode = (text: string) => escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>');

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escapeHtml(title)} – QuickSale</title>
    <link rel="icon" href="/assets/icon.svg" />
    <link rel="stylesheet" href="/assets/page.css" />
  </head>
  <body>
    <header>
      <a class="name" href="/">QuickSale</a>
      <nav><a href="/docs">API docs</a> <a href="/errors">Errors</a></nav>
    </header>
    <main>
${content}
    </main>
  </body>
</html>
`;
}

/** A row of the error registry. */
interface ErrorRow {
  code: string;
  status: number;
  title: string;
  advice: string;
}

/** The page that `type` of a problem points at. */
export const errorPage = ({ code, status, title, advice }: ErrorRow): string =>
  page(
    title,
    `      <p class="code">${status} <code>${escapeHtml(code)}</code></p>
      <h1>${escapeHtml(title)}</h1>
      <p>${withCode(advice)}</p>
      <p><a href="/errors">All error codes</a></p>`,
  );

/** All codes with a link to each page. */
export const errorListPage = (rows: readonly ErrorRow[]): string =>
  page(
    'Error codes',
    `      <h1>Error codes</h1>
      <p>Every error is <code>application/problem+json</code>. Act on <code>code</code>.</p>
      <div class="wide">
        <table>
          <thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead>
          <tbody>
${rows
  .map(
    ({ code, status, title }) =>
      `            <tr><td>${status}</td><td><a href="/errors/${code}"><code>${code}</code></a></td><td>${escapeHtml(title)}</td></tr>`,
  )
  .join('\n')}
          </tbody>
        </table>
      </div>`,
  );
