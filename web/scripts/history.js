// What was tried on this page before, kept in this browser alone: inputs and answers, newest first.
// Nothing of it leaves the browser. Where the browser keeps nothing, the page goes without.

import { element } from "./answer.js";

const MOST_ENTRIES = 20;
const MOST_CHARACTERS = 8_000_000;

/** Makes the section work; `show` is given the entry that somebody chose. Returns what remembers an entry. */
export function history(show) {
  const section = document.getElementById("history");
  const list = document.getElementById("history-list");
  const key = location.pathname;
  const ready = open().catch(() => null);
  document.getElementById("history-clear").addEventListener("click", async () => {
    const db = await ready;
    if (db) await change(db, async (store) => { for (const entry of await of(store, key)) store.delete(entry.id); });
    render();
    document.getElementById("again-title").scrollIntoView({ block: "nearest" });
  });
  render();

  async function render() {
    const db = await ready;
    const entries = db ? (await of(db.transaction("tried").objectStore("tried"), key)).reverse() : [];
    section.hidden = entries.length === 0;
    list.replaceChildren(...entries.map((entry) => {
      const line = element("li");
      const button = element("button", "history-entry");
      button.type = "button";
      const time = element("time", "small muted", new Date(entry.at).toLocaleString());
      time.dateTime = new Date(entry.at).toISOString();
      button.append(element("span", "history-what", entry.what), element("b", "history-answer", entry.answer), time);
      button.addEventListener("click", () => show(entry));
      line.append(button);
      return line;
    }));
  }

  /** Remembers what was asked and answered. */
  return async function remember(entry) {
    const db = await ready;
    if (!db || JSON.stringify([entry.request, entry.outputs]).length > MOST_CHARACTERS) return;
    await change(db, async (store) => {
      store.add({ ...entry, key, at: Date.now() });
      const all = await of(store, key);
      for (const old of all.slice(0, Math.max(0, all.length - MOST_ENTRIES))) store.delete(old.id);
    }).catch(() => {});
    render();
  };
}

/** An input in a few words. `parts` says which of it are files. */
export function brief(request, parts = []) {
  const words = request.inputs.map(({ name, data }) => {
    const kind = parts.find((part) => part.name === name)?.kind;
    if (["image", "audio", "video", "file"].includes(kind)) return `${name} (${kind})`;
    return data.length > 6 ? `${data.length} values` : data.map((value) => String(value).slice(0, 40)).join(", ");
  });
  return words.join(", ").slice(0, 80);
}

function open() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("reenact", 1);
    opening.onupgradeneeded = () => {
      const store = opening.result.createObjectStore("tried", { keyPath: "id", autoIncrement: true });
      store.createIndex("key", "key");
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

function of(store, key) {
  return new Promise((resolve, reject) => {
    const asking = store.index("key").getAll(key);
    asking.onsuccess = () => resolve(asking.result);
    asking.onerror = () => reject(asking.error);
  });
}

function change(db, act) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction("tried", "readwrite");
    transaction.oncomplete = resolve;
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
    act(transaction.objectStore("tried"));
  });
}
