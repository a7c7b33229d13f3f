import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBrowser, type TestBrowser } from './browser.ts';

const text = `<style>body { margin: 20px; background: white; color: black; font: 24px sans-serif }
  span { white-space: pre }</style>
<h1>QuickSale</h1><p>Sold out: 100 of 100</p>
<p><span id="narrow">iiiiiiii</span></p><p><span id="wide">WWWWWWWW</span></p>
<p style="font-family: monospace"><span id="narrow-mono">iiiiiiii</span></p>
<p style="font-family: monospace"><span id="wide-mono">WWWWWWWW</span></p>
<p style="font-family: serif">in another hand</p>`;
const pages: Readonly<Record<string, string>> = {
  '/text': text,
  '/empty': text.replace('color: black', 'color: white'),
  '/curious': `<img src="http://pictures.example.com/1.png">
<script src="https://cdn.example.com/library.js"></script>
<iframe src="http://192.0.2.1/"></iframe>
<script>
  const worker = new Worker('/worker');
  const socket = new WebSocket('wss://sockets.example.com/');
  const ends = [
    fetch('https://192.0.2.2/').catch(() => 'refused'),
    new Promise((resolve) => { socket.onerror = () => resolve('refused'); }),
    new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); }),
    fetch('/answer').then((answer) => answer.text()),
  ];
  Promise.all(ends).then((all) => { document.title = all.join(); });
</script>`,
  '/worker': `fetch('https://worker.example.com/').catch(() => postMessage('refused'))`,
  '/answer': 'own',
};

let server: Server;
let origin: string;
let browser: TestBrowser;

beforeAll(async () => {
  server = createServer((req, res) => {
    res.writeHead(200, { 'content-type': req.url === '/worker' ? 'text/javascript' : 'text/html' });
    res.end(pages[req.url ?? ''] ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await openBrowser();
  // The first one on a machine may have to be obtained.
}, 300_000);

afterAll(async () => {
  await browser?.close();
  server.closeAllConnections();
  server.close();
});

/** How many pixels of a picture are dark, as the browser itself reads it. */
async function countDarkPixels(page: Page, png: Buffer): Promise<number> {
  const script = `(async () => {
    const picture = new Image();
    picture.src = 'data:image/png;base64,${png.toString('base64')}';
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
    canvas.drawImage(picture, 0, 0);
    const { data } = canvas.getImageData(0, 0, picture.width, picture.height);
    return data.filter((value, index) => index % 4 === 0 && value < 128).length;
  })()`;
  return page.evaluate<number>(script);
}

describe('the browser of the tests', () => {
  it('draws letters with fonts', async () => {
    const page = await browser.browser.newPage({ viewport: { width: 640, height: 480 } });
    await page.goto(`${origin}/text`);
    const width = async (id: string) =>
      page.evaluate<number>(`document.getElementById('${id}').getBoundingClientRect().width`);
    // Without a font every letter is the same box, or nothing.
    expect(await width('wide')).toBeGreaterThan(2 * (await width('narrow')));
    expect(await width('wide-mono')).toBe(await width('narrow-mono'));
    const path = process.env.QUICKSALE_SCREENSHOT;
    const dark = await countDarkPixels(page, await page.screenshot({ path }));
    await page.goto(`${origin}/empty`);
    expect(await countDarkPixels(page, await page.screenshot())).toBe(0);
    expect(dark).toBeGreaterThan(2_000);
    await page.close();
  });

  it('reaches loopback alone, and notes what else its pages ask for', async () => {
    expect(browser.outside).toEqual([]);
    const page = await browser.browser.newPage();
    const fates: Record<string, string | number | undefined> = {};
    page.on('response', (response) => (fates[response.url()] = response.status()));
    page.on('requestfailed', (request) => (fates[request.url()] = request.failure()?.errorText));
    await page.goto(`${origin}/curious`);
    await page.waitForFunction(`document.title !== ''`);
    expect(await page.title()).toBe('refused,refused,refused,own');
    // What the proxy said, not a network that happens to be away.
    expect(fates).toMatchObject({
      [`${origin}/answer`]: 200,
      'http://pictures.example.com/1.png': 403,
      'http://192.0.2.1/': 403,
      'https://cdn.example.com/library.js': 'net::ERR_TUNNEL_CONNECTION_FAILED',
      'https://192.0.2.2/': 'net::ERR_TUNNEL_CONNECTION_FAILED',
      'https://worker.example.com/': 'net::ERR_TUNNEL_CONNECTION_FAILED',
    });
    expect([...browser.outside].sort()).toEqual([
      'http://192.0.2.1/',
      'http://pictures.example.com/1.png',
      'https://192.0.2.2/',
      'https://cdn.example.com/library.js',
      'https://worker.example.com/',
      'wss://sockets.example.com/',
    ]);
    await page.close();
  });
});
