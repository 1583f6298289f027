// Preloaded into the suite: its mock servers ask for every interface and get the loopback one.
//
// Here and not in `listen`, because there a host is looked up first, and the suite reads the address at once.
import { Server } from "node:net";

const listen = Server.prototype._listen2;

Server.prototype._listen2 = function (address, port, type, ...rest) {
  const everywhere = address == null || address === "::" || address === "0.0.0.0";
  return everywhere
    ? listen.call(this, "127.0.0.1", port, 4, ...rest)
    : listen.call(this, address, port, type, ...rest);
};
