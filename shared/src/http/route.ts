import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { Principal, VerifyAccessToken } from '../auth/principal.ts';
import type { Role } from '../contracts/roles.ts';
import { AppError, type ErrorCode } from '../errors/index.ts';
import type { AnswerOnce } from '../idempotency/answer-once.ts';
import { idempotencyDigest, requestFingerprint } from '../idempotency/key-digest.ts';
import { currentContext } from '../log/index.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { sendReply, type StreamedBody } from './sent-reply.ts';
import { sendOneAnswer } from './stored-answer.ts';
import { validate } from './validate.ts';
import { watchAnswer } from './watch-answer.ts';

/** Largest request body, in bytes. */
export const maxBodyBytes = 16 * 1024;

/** Who may call a route: everybody, everybody signed in, or the named roles. */
export type Access = 'public' | 'signed-in' | readonly Role[];

type Replies = Readonly<Record<number, z.ZodType | undefined>>;

/**
 * What a handler returns. `raw` is a body that is already JSON and is sent byte for byte; a streamed
 * one is documented by the schema, and what fails in its midst cuts it off.
 */
export type Reply<R extends Replies> = {
  [S in keyof R & number]: {
    status: S;
    headers?: Readonly<Record<string, string>>;
  } & (R[S] extends z.ZodType
    ? { body: z.input<R[S]> } | { raw: string } | { stream: StreamedBody }
    : object);
}[keyof R & number];

/** Contract of one route: enough to validate requests and to write its page in the API docs. */
export interface RouteSpec<
  A extends Access,
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends Replies,
> {
  /** Unique in the whole API: the name of the call in the API docs. */
  operationId: string;
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  summary: string;
  access: A;
  params?: P;
  query?: Q;
  body?: B;
  /** The handler gets the body as it came, whatever its type: for what is signed byte by byte. */
  rawBody?: boolean;
  /**
   * The route requires an Idempotency-Key; `optional`: it heeds one that is sent; `stored`: it
   * requires one, and the first final answer under it is kept and said again. What a `stored` route
   * does must be harmless when it is done twice: of a process that died nobody knows how far it came.
   */
  idempotent?: boolean | 'optional' | 'stored';
  /** Method and path pattern that its keys belong to, where the route is an alias of another. */
  keyScope?: string;
  replies: R;
  /** Codes that this route itself can answer, beside those of every route. */
  errors?: readonly ErrorCode[];
}

export interface RouteContext<A extends Access = Access> {
  requestId: string;
  /** Address of the client as far as trusted proxies tell it. */
  ip: string;
  principal: A extends 'public' ? undefined : Principal;
  /** The checked key on an `idempotent` route, else ''; '' as well when an optional one is missing. */
  idempotencyKey: string;
  header: (name: string) => string | undefined;
  /** Adds a header to the answer whatever becomes of the request, a refusal included. */
  setHeader: (name: string, value: string) => void;
}

/** What an app has its routes served with. */
export interface RouteDeps {
  verify: VerifyAccessToken;
  /** For routes that are `idempotent: 'stored'`. */
  answerOnce?: AnswerOnce;
}

/** A route with its types erased, ready to be mounted or described. */
export interface Route {
  spec: RouteSpec<Access, z.ZodType, z.ZodType, z.ZodType, Replies>;
  handle: (req: Request, res: Response, deps: RouteDeps) => Promise<void>;
}

/** Binds a contract to a handler that gets valid input and returns its answer. */
export function route<
  A extends Access,
  R extends Replies,
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
  Raw extends boolean = false,
>(
  spec: RouteSpec<A, P, Q, B, R> & { rawBody?: Raw },
  handler: (
    input: {
      params: z.output<P>;
      query: z.output<Q>;
      body: Raw extends true ? Buffer : z.output<B>;
    },
    context: RouteContext<A>,
  ) => Promise<Reply<NoInfer<R>>>,
): Route {
  const handle: Route['handle'] = async (req, res, { verify, answerOnce }) => {
    const principal = await authorise(spec.access, req, verify);
    const input = {
      params: (spec.params && validate(spec.params, req.params, 'params')) as z.output<P>,
      query: (spec.query && validate(spec.query, req.query, 'query')) as z.output<Q>,
      body: (spec.rawBody
        ? rawBodyOf(req)
        : spec.body && validate(spec.body, req.body, 'body')) as Raw extends true
        ? Buffer
        : z.output<B>,
    };
    const context: RouteContext<A> = {
      requestId: String(res.locals.requestId),
      ip: req.ip ?? '',
      principal: principal as RouteContext<A>['principal'],
      idempotencyKey: takesKey(spec.idempotent, req) ? readIdempotencyKey(req) : '',
      header: (name) => req.get(name),
      setHeader: (name, value) => void res.setHeader(name, value),
    };
    if (spec.idempotent === 'stored' && principal && answerOnce) {
      const { params, query, body = {} } = input;
      const request = {
        digest: idempotencyDigest({
          userId: principal.userId,
          route: spec.keyScope ?? `${spec.method.toUpperCase()} ${spec.path}`,
          key: context.idempotencyKey,
        }),
        // The same key on another order is another request.
        fingerprint: requestFingerprint({ params, query, body }),
      };
      await sendOneAnswer(answerOnce, { req, res }, request, () => handler(input, context));
      return;
    }
    const reply = await handler(input, context);
    if (principal) res.setHeader('Cache-Control', 'no-store');
    await sendReply(res, reply);
  };
  return { spec: spec, handle };
}

const takesKey = (idempotent: boolean | 'optional' | 'stored' = false, req: Request) =>
  idempotent === 'optional' ? req.headers['idempotency-key'] !== undefined : Boolean(idempotent);

async function authorise(
  access: Access,
  req: Request,
  verify: VerifyAccessToken,
): Promise<Principal | undefined> {
  if (access === 'public') return undefined;
  const token = readBearerToken(req.get('authorization'));
  if (!token) throw new AppError('unauthenticated');
  const principal = await verify(token);
  if (access !== 'signed-in' && !access.includes(principal.role)) throw new AppError('forbidden');
  const context = currentContext();
  if (context) context.userId = principal.userId;
  return principal;
}

/** The token of an `Authorization: Bearer` header, if it has that form. */
export function readBearerToken(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header ?? '')?.[1];
}

/** Without a body the parser leaves none. */
const rawBodyOf = ({ body }: Request): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

const readRaw = express.raw({ type: () => true, limit: maxBodyBytes, inflate: false });
const parseJson = express.json({ limit: maxBodyBytes, strict: true, inflate: false });

/** Media type and size are judged before a byte of the body is read. */
const requireJson: RequestHandler = (req, _res, next) => {
  const length = Number(req.headers['content-length'] ?? 0);
  if (length > maxBodyBytes) throw new AppError('payload-too-large');
  const hasBody = length > 0 || req.headers['transfer-encoding'] !== undefined;
  if (hasBody && !(req.is('application/json') && isUtf8(req.headers['content-type'])))
    throw new AppError('unsupported-media-type');
  next();
};

/** The parser would take UTF-16 and UTF-7 too, in which a filter on the way sees other characters. */
function isUtf8(contentType = ''): boolean {
  const charsets = [...contentType.matchAll(/charset\s*=\s*"?([^";\s]*)/gi)];
  return charsets.every(([, charset]) => charset?.toLowerCase() === 'utf-8');
}

/** Mounts routes on an app. Their paths are whole: the gateway's path is the service's path. */
export function mountRoutes(app: Express, routes: readonly Route[], deps: RouteDeps): void {
  for (const { spec, handle } of routes) {
    if (spec.idempotent === 'stored' && (!deps.answerOnce || spec.access === 'public'))
      throw new Error(`${spec.method} ${spec.path} has nowhere or nobody to keep its answers for`);
    const bodyParts = spec.rawBody ? [readRaw] : spec.body ? [requireJson, parseJson] : [];
    app[spec.method](spec.path, watchAnswer(spec), ...bodyParts, (req, res) =>
      handle(req, res, deps),
    );
  }
}
