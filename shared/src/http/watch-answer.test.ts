import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { watchAnswer, type SentAnswer } from './watch-answer.ts';

const seen: SentAnswer[] = [];
const note = (message: unknown) => void seen.push(message as SentAnswer);
afterEach(() => void unsubscribe('quicksale.http.answer', note));

it('an answer is seen once, whole, also when its reader has hung up', async () => {
  subscribe('quicksale.http.answer', note);
  const app = express();
  const spec = { operationId: 'one', replies: {} };
  app.post('/hangs-up', watchAnswer(spec), (req, res) => {
    req.socket.destroy();
    res.status(415).json({ code: 'unsupported-media-type' });
  });
  app.get('/reads', watchAnswer(spec), (_req, res) => void res.json({ found: true }));
  await expect(request(app).post('/hangs-up')).rejects.toThrow();
  expect((await request(app).get('/reads')).status).toBe(200);
  const json = 'application/json; charset=utf-8';
  expect(seen).toEqual([
    {
      ...{ method: 'POST', spec, status: 415, contentType: json },
      body: '{"code":"unsupported-media-type"}',
    },
    { method: 'GET', spec, status: 200, contentType: json, body: '{"found":true}' },
  ]);
});
