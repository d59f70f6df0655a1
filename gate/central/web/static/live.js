// Keeps the live page live: inserts the HTML that the server rendered (and escaped), and nothing else.
"use strict";

const FEED_MAX = 200;
const feed = document.getElementById("feed");
const gates = document.getElementById("gates");
const connection = document.getElementById("connection");
const pause = document.getElementById("pause");
let held = [];

function showOnly(parent, name) {
  for (const part of parent.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== name;
}

function addEvents(rows) {
  for (const html of rows) feed.insertAdjacentHTML("afterbegin", html);
  while (feed.children.length > FEED_MAX) feed.lastElementChild.remove();
}

function isPaused() {
  return pause.getAttribute("aria-pressed") === "true";
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const paused = !isPaused();
  pause.setAttribute("aria-pressed", String(paused));
  showOnly(pause, paused ? "paused" : "running");
  if (!paused) addEvents(held);
  held = [];
  document.getElementById("held").textContent = "0";
});

const stream = new EventSource("/stream?after=" + document.body.dataset.after);
stream.onerror = () => showOnly(connection, "lost");

stream.addEventListener("health", (message) => {
  showOnly(connection, JSON.parse(message.data) === false ? "unreadable" : "live");
});

stream.addEventListener("events", (message) => {
  const rows = JSON.parse(message.data);
  if (!isPaused()) return addEvents(rows);
  held = held.concat(rows).slice(-FEED_MAX);
  document.getElementById("held").textContent = held.length < FEED_MAX ? held.length : FEED_MAX + "+";
});

stream.addEventListener("gates", (message) => {
  const { order, html } = JSON.parse(message.data);
  const tiles = new Map([...gates.children].map((tile) => [tile.dataset.key, tile]));
  for (const [key, tile] of tiles) if (!order.includes(key)) tile.remove();
  for (const key of order) {
    if (!(key in html)) continue;
    if (tiles.has(key)) tiles.get(key).outerHTML = html[key];
    else gates.insertAdjacentHTML("beforeend", html[key]);
  }
});
