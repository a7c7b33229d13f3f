import type Stripe from 'stripe';
import { ConfigError } from '@quicksale/shared/config';
import { loadStripe } from './load-stripe.ts';

/** Settings of the account with Stripe, as the environment gives them. */
export interface StripeSettings {
  secretKey: string | undefined;
  webhookSecret: string | undefined;
  /** Stripe's own address, or that of a server that stands for it in tests. */
  apiUrl: string;
}

/** The API's version that this code was written for. A newer SDK does not compile with it. */
const apiVersion = '2026-10-28.endive';

/** The settings, all of them. Throws ConfigError with every problem. */
export function requireStripeSettings({ secretKey, webhookSecret, apiUrl }: StripeSettings): {
  secretKey: string;
  webhookSecret: string;
  url: URL;
} {
  const problems: string[] = [];
  const url = URL.parse(apiUrl);
  if (!secretKey) problems.push('STRIPE_SECRET_KEY is not set: PAYMENT_PROVIDER=stripe needs it');
  if (!webhookSecret)
    problems.push('STRIPE_WEBHOOK_SECRET is not set: PAYMENT_PROVIDER=stripe needs it');
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/')
    problems.push('STRIPE_API_URL: must be http(s)://host[:port]');
  // The key itself goes over the wire with every request.
  else if (url.protocol === 'http:' && /^[sr]k_live_/.test(secretKey ?? ''))
    problems.push('STRIPE_API_URL: must be https with a live key');
  if (!secretKey || !webhookSecret || !url || problems.length > 0) throw new ConfigError(problems);
  return { secretKey, webhookSecret, url };
}

/** The official SDK. It tells Stripe nothing but the requests that are made. */
export function createStripeClient(options: {
  secretKey: string;
  url: URL;
  timeoutMs: number;
}): Stripe {
  const { secretKey, url, timeoutMs } = options;
  const isPlain = url.protocol === 'http:';
  const Sdk = loadStripe();
  return new Sdk(secretKey, {
    apiVersion,
    host: url.hostname,
    port: url.port || (isPlain ? '80' : '443'),
    protocol: isPlain ? 'http' : 'https',
    timeout: timeoutMs,
    // Who asked repeats with the same key; a second layer of repeats would only make it wait.
    maxNetworkRetries: 0,
    telemetry: false,
  });
}
