// The pass on its phone: makes the key that never leaves it, keeps the pass, and shows a code that changes.

import { isFor, liveCode, readPass } from "./live-code.js";
import { makeSymbol } from "./qr.js";

const CHANGE_EVERY_S = 5; // a gate takes a code for live_code_max_age_s, 15 s
const QUIET_MODULES = 4;
const CLOCK_OFF_S = 2; // the header's own grain and the way are below it

const part = (id) => document.getElementById(id);
let clockOffsetMs = 0;

start().catch((error) => say("broken", error));

async function start() {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return say("insecure");
  const store = await openStore();
  const keys = (await store.get("keys")) ?? (await makeKeys(store));
  const jwk = await crypto.subtle.exportKey("jwk", keys.publicKey);
  part("phone-key").value = JSON.stringify({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y });
  part("copy").addEventListener("click", () => navigator.clipboard.writeText(part("phone-key").value));

  const take = async (text) => {
    if (!isFor(readPass(text), jwk)) throw new Error("a pass for another phone");
    await store.put("pass", text);
    show(readPass(text), keys.privateKey);
  };
  part("pass-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = part("pass-text").value.replace(/[\r\n]+$/, ""); // no more: base45 may end in a blank
    take(text).catch(() => say("wrong-pass"));
  });

  navigator.serviceWorker?.register("worker.js").catch(() => {});
  const sent = decodeURIComponent(location.hash.slice(1)); // a link from whoever issues; it stays on this phone
  const kept = await store.get("pass");
  if (sent) {
    history.replaceState(null, "", location.pathname);
    await take(sent).catch(() => say("wrong-pass"));
  } else if (kept) {
    show(readPass(kept), keys.privateKey);
  } else {
    say("enrol");
  }
}

/** Sign and draw again and again; a page that nobody sees shows nothing old when it is seen again. */
function show(pass, privateKey) {
  say("live");
  const sign = async () => {
    const seconds = Math.floor((Date.now() + clockOffsetMs) / 1000);
    drawSymbol(await liveCode(pass, privateKey, seconds), seconds);
  };
  const draw = () => document.hidden || sign().catch((error) => say("broken", error));
  document.addEventListener("visibilitychange", () => (document.hidden ? part("symbol").replaceChildren() : draw()));
  setInterval(draw, 1000 * CHANGE_EVERY_S);
  draw();
  correctClock().then(draw);
}

function drawSymbol(text, seconds) {
  const rows = makeSymbol(text);
  const size = rows.length + 2 * QUIET_MODULES;
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", rows.flatMap((row, y) => row.map((dark, x) => (
    dark ? `M${x + QUIET_MODULES} ${y + QUIET_MODULES}h1v1h-1z` : ""))).join(""));
  const symbol = part("symbol");
  symbol.setAttribute("viewBox", `0 0 ${size} ${size}`);
  symbol.replaceChildren(path);
  symbol.dataset.moment = seconds;
}

/** A phone whose clock is wrong signs by the centre's, while it can ask. */
async function correctClock() {
  const answer = await fetch("./", { method: "HEAD", cache: "no-store" }).catch(() => null);
  const offsetMs = Date.parse(answer?.headers.get("date")) - Date.now();
  if (Math.abs(offsetMs) > 1000 * CLOCK_OFF_S) {
    clockOffsetMs = offsetMs;
    part("clock").hidden = false;
  }
}

function say(state, error) {
  if (error) console.error(error);
  for (const section of document.querySelectorAll("[data-when]"))
    section.hidden = !section.dataset.when.split(" ").includes(state);
}

async function makeKeys(store) {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  await store.put("keys", keys);
  await navigator.storage?.persist?.();
  return keys;
}

/** The phone's own store: one table of two rows, `keys` (the private one cannot be read out) and `pass`. */
async function openStore() {
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const opening = indexedDB.open("gate-pass", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
  const database = await done(opening);
  const kept = (mode) => database.transaction("kept", mode).objectStore("kept");
  return { get: (key) => done(kept("readonly").get(key)), put: (key, value) => done(kept("readwrite").put(value, key)) };
}
