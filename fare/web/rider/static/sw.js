// Keeps the page's own files on the phone, so that it opens in one tap without a network. It never touches the API:
// what belongs to a rider is not in this cache. SHELL names the files' content: a test says the value to write here
// when a file has changed, and with it every phone fetches the new files, all or none.
"use strict";
const SHELL = "1a30fb6210bf836c";
const CACHE = `mancard-rider-${SHELL}`;
const FILES = [
  "/rider/",
  "/rider/manifest.webmanifest",
  "/rider/static/account.js",
  "/rider/static/api.js",
  "/rider/static/app.js",
  "/rider/static/bytes.js",
  "/rider/static/clock.js",
  "/rider/static/code.js",
  "/rider/static/element.js",
  "/rider/static/keys.js",
  "/rider/static/mc1.js",
  "/rider/static/rider.css",
  "/rider/static/store.js",
  "/rider/static/tickets.js",
  "/rider/static/vendor/lean-qr.mjs",
  "/rider/static/views/code.js",
  "/rider/static/views/enrol.js",
  "/rider/static/views/home.js",
  "/rider/static/views/more.js",
  "/rider/static/views/phones.js",
  "/rider/static/views/pieces.js",
  "/rider/static/views/topup.js",
  "/rider/static/views/trips.js",
  "/rider/static/words.js",
  "/rider/static/icon-192.png",
  "/rider/texts/fa.json",
  "/rider/texts/en.json",
  "/rider/texts/azb.json",
  "/rider/texts/ckb.json",
  "/static/icon.svg",
  "/static/vendor/vazirmatn/vazirmatn-wght.woff2",
];

self.addEventListener("install", (event) => {
  // no-cache: asked again even where the browser has them, and hardly ever sent again.
  const files = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)));
});

self.addEventListener("activate", (event) => {
  const outdated = (names) => names.filter((name) => name.startsWith("mancard-rider-") && name !== CACHE);
  const tidy = async () => {
    for (const name of outdated(await caches.keys())) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

// The page asks for these when it is opened, never while a code is shown.
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
  if (event.data === "hold this page") event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== self.location.origin) return;
  const name = address.pathname === "/rider" ? "/rider/" : address.pathname;
  if (!FILES.includes(name)) return;
  // Not caches.open: a worker whose time is over would make its old cache anew.
  event.respondWith(caches.match(name, { cacheName: CACHE }).then((kept) => kept || fetch(event.request)));
});
