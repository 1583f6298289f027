// What a client is told beside its answers.

/** Complaints about what the client itself did. */
const OWN_DOING = ['progress notification for an unknown token', 'SSE stream disconnected: AbortError'];

/**
 * Collects what `client` complains about, and the notifications that arrive.
 *
 * Both SDKs run notification handlers a microtask later, and forget a call's progress handler when its answer is
 * read: progress that arrives in one read with the answer reaches `onerror` ("unknown token") and not the callback.
 * So notifications are looked at where they come in, and that one complaint is left out.
 *
 * A client that closes while its general stream is open aborts it, and SDK 1 complains of that.
 */
export function watch(client, transport) {
  const strays = [];
  client.onerror = error => {
    const text = String(error?.message ?? error);
    if (!OWN_DOING.some(part => text.includes(part))) strays.push(text);
  };
  const notified = [];
  const tokens = [];
  const sends = new Set();
  return {
    strays,
    tokens,
    /** The params of the notifications of one method so far. */
    notified: method => notified.filter(message => message.method === method).map(message => message.params),
    /**
     * Until all that was sent is accepted. Over HTTP+SSE an answer may be read before the 202 of its question, and a
     * client that closes in between reports its own abort.
     */
    allSent: () => Promise.allSettled(sends),
    /** To be called once connected: connecting is what sets `onmessage`. */
    connected() {
      const inner = transport.onmessage;
      transport.onmessage = (message, extra) => {
        if (message.method && message.id === undefined) notified.push(message);
        inner(message, extra);
      };
      const send = transport.send.bind(transport);
      transport.send = (message, options) => {
        const token = message.params?._meta?.progressToken;
        if (token !== undefined) tokens.push(token);
        const sending = send(message, options);
        sends.add(sending);
        const forget = () => sends.delete(sending);
        sending.then(forget, forget);
        return sending;
      };
    },
  };
}
