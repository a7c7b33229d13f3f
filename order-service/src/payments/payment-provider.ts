/** How an intent stands with its provider. `open`: it can be confirmed, also after a refusal. */
export type IntentStatus = 'open' | 'processing' | 'succeeded' | 'cancelled';

/** Money that a provider is to take, or has taken. Amounts in minor units. */
export interface ProviderIntent {
  /** The provider's own id. */
  id: string;
  status: IntentStatus;
  amount: number;
  currency: string;
  /** Of the last attempt, where it was refused: the provider's code for it. */
  declineCode?: string;
}

export interface ProviderRefund {
  /** The provider's own id. */
  id: string;
  status: 'pending' | 'succeeded' | 'failed';
}

/** A way to pay that a buyer has stored with the provider; of the card only what may be shown. */
export interface ProviderMethod {
  /** The provider's token: the only thing by which it can be charged. */
  token: string;
  brand: string;
  last4: string;
}

/** News from a provider, told by a signed webhook. An event may come twice, late, and out of order. */
export interface ProviderEvent {
  /** Unique with the provider. */
  id: string;
  /** An intent or a refund of one may have changed; `other` concerns nobody here. */
  type: 'intent' | 'refund' | 'other';
  intentId?: string;
  /** What was passed when the intent was made. */
  paymentId?: string;
}

/**
 * Takes money and gives it back. Every call that moves money carries an idempotency key: repeated with
 * the same key it has no second effect. All methods throw AppError `dependency-unavailable` when the
 * provider is away or too slow: the outcome is then unknown.
 */
export interface PaymentProvider {
  name: 'stripe' | 'simulator';
  createIntent(request: {
    paymentId: string;
    userId: string;
    amount: number;
    currency: string;
    idempotencyKey: string;
  }): Promise<ProviderIntent>;
  /** Charges a method. A refusal is an `open` intent with a `declineCode`; it throws for none. */
  confirmIntent(request: {
    intentId: string;
    methodToken: string;
    userId: string;
    idempotencyKey: string;
  }): Promise<ProviderIntent>;
  readIntent(intentId: string): Promise<ProviderIntent>;
  /** Nobody can pay it any more. Resolves to how it stands: it may have succeeded before. */
  cancelIntent(intentId: string): Promise<ProviderIntent>;
  /**
   * Sends part of what an intent has taken back; `refundId` is the idempotency key, however late it
   * comes again: then this says how that refund stands now.
   */
  refund(request: { intentId: string; amount: number; refundId: string }): Promise<ProviderRefund>;
  /** Keeps a token for its user. Throws AppError `validation-failed` when there is no such token. */
  saveMethod(request: { userId: string; token: string }): Promise<ProviderMethod>;
  removeMethod(request: { userId: string; token: string }): Promise<void>;
  /**
   * What a webhook says. The signature covers the raw body and a timestamp of the last five minutes:
   * else AppError `webhook-signature-invalid`.
   */
  readEvent(rawBody: Buffer, header: (name: string) => string | undefined): ProviderEvent;
}
