import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { obtainChromium } from '@quicksale/local-stack';

export interface TestBrowser {
  browser: Browser;
  /** Addresses outside this machine that pages asked for, in order; nothing got there. */
  outside: readonly string[];
  close(): Promise<void>;
}

const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
];

/**
 * A real browser without a screen, with an empty profile, that can reach loopback alone: all else is
 * sent to a proxy that refuses it, whoever asks. A Chromium calls its maker by itself, so what pages
 * ask for is noted where they ask: by frames, workers, pop-ups and sockets of every context.
 */
export async function openBrowser(): Promise<TestBrowser> {
  const program = await obtainChromium(process.env);
  const refusal = await startRefusal();
  const home = await mkdtemp(join(tmpdir(), 'quicksale-browser-'));
  const free = async (): Promise<void> => {
    refusal.closeAllConnections();
    refusal.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const { port } = refusal.address() as AddressInfo;
    const browser = await chromium.launch({
      executablePath: program.command,
      env: { PATH: process.env.PATH, HOME: home, ...program.env },
      args: [
        ...quiet,
        // Not the option `proxy`, which sends loopback through it as well.
        `--proxy-server=http://127.0.0.1:${port}`,
        '--proxy-bypass-list=<-loopback>;localhost;127.0.0.0/8;[::1]',
      ],
    });
    const outside: string[] = [];
    const note = (address: string) => {
      if (isOutside(address)) outside.push(address);
    };
    browser.on('context', (context) => {
      context.on('request', (request) => note(request.url()));
      context.on('page', (page) => page.on('websocket', (socket) => note(socket.url())));
    });
    const close = async (): Promise<void> => {
      await browser.close();
      await free();
    };
    return { browser, outside, close };
  } catch (error) {
    await free();
    throw error;
  }
}

function isOutside(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  const isOnNetwork = /^(https?|wss?):$/.test(protocol);
  return isOnNetwork && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** A proxy that lets nothing through. */
async function startRefusal(): Promise<Server> {
  const server = createServer((_req, res) => void res.writeHead(403).end());
  // What is encrypted asks for a way to a host.
  server.on('connect', (_req, socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
