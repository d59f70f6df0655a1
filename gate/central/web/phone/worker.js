// Keeps the page on the phone, so that a pass can be shown where there is no network.

const CACHE = "gate-pass-1";
const FILES = ["./", "pass.css", "pass.js", "live-code.js", "qr.js"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  // The newest while there is a network; what was kept otherwise.
  event.respondWith(fetch(event.request).catch(() => caches.match(event.request, { ignoreSearch: true })));
});
