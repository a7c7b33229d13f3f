import type { RequestHandler } from 'express';
import { AppError } from '@quicksale/shared/errors';
import { maxBodyBytes } from '@quicksale/shared/http';

/**
 * Lets a request on once its body has arrived whole, unread in the request's own buffer. Who sends
 * slowly, or never to the end, takes no place at a service and cannot make one look silent; a body
 * with broken framing reaches none. Bodies of unannounced length are measured here.
 */
export const awaitBody: RequestHandler = (req, res, next) => {
  const isTooLarge = () => req.readableLength > maxBodyBytes;
  const refuse = () => {
    res.setHeader('Connection', 'close');
    next(new AppError('payload-too-large'));
  };
  // As good as always: a small body comes along with its head.
  if (req.complete) return isTooLarge() ? refuse() : next();

  const look = () => {
    if (!req.complete && !isTooLarge()) return;
    req.off('readable', look);
    // The stream takes note of that in a turn of its own; only then it can be piped.
    setImmediate(isTooLarge() ? refuse : next);
  };
  // A client that goes away leaves nothing to be done.
  req.on('error', () => req.off('readable', look));
  req.on('readable', look);
};
