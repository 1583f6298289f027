// Says on stderr where a server of this process listens, also one that says nothing or only what it was told:
// `PORT=0 node --import ./listening.mjs SERVER` needs no port that was free a moment ago.
import net from 'node:net';

const { listen } = net.Server.prototype;

net.Server.prototype.listen = function (...args) {
  this.once('listening', () => console.error(`listening on http://127.0.0.1:${this.address().port}`));
  return listen.apply(this, args);
};
