export { createApiClient, ServerDefect, type Answer, type ApiClient } from './api-client.ts';
export { openStatusSocket, type Frame, type StatusSocket } from './status-socket.ts';
