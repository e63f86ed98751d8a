// What the phone keeps between visits, in one IndexedDB store: named values, changed in whole transactions, so that
// two open pages cannot give out one ride twice. Where there is no IndexedDB, the values live as long as the page.
const DATABASE = "mancard";
const STORE = "kept";
const memory = new Map();
let opening = null;
let lasting = true;

function open() {
  if (!opening)
    opening = new Promise((done, failed) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => {
        request.result.onclose = request.result.onversionchange = () => (opening = null);
        done(request.result);
      };
      request.onerror = request.onblocked = () => failed(request.error || new Error("IndexedDB is blocked"));
    }).catch((fault) => {
      opening = null;
      throw fault;
    });
  return opening;
}

// Whether anything outlives the page. Ask after the first read.
export const outlivesThePage = () => lasting;

// Close the database and open it again: what is read afterwards has truly been kept.
export async function reopen() {
  if (!lasting) return;
  (await open()).close();
  opening = null;
  await open();
}

export async function get(name) {
  return (await change([name], () => ({})))[name];
}

// Read `names`, let `judge` say what changes ({name: value}, undefined removes), write that; all in one
// transaction. `judge` may not wait. Resolves to the values after it, only once they are durably written; rejects
// when a value cannot be kept.
export async function change(names, judge) {
  let database = null;
  try {
    database = lasting ? await open() : null;
  } catch {
    lasting = false; // private windows of old browsers, or storage switched off
  }
  return database ? inDatabase(database, names, judge) : inMemory(names, judge);
}

export async function namesWith(prefix) {
  await change([], () => ({}));
  if (!lasting) return [...memory.keys()].filter((name) => name.startsWith(prefix));
  const database = await open();
  return new Promise((done, failed) => {
    const range = IDBKeyRange.bound(prefix, prefix + "\uffff");
    const request = database.transaction(STORE).objectStore(STORE).getAllKeys(range);
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

// Forget everything except the chosen language.
export async function forget() {
  for (const name of await namesWith("")) if (name !== "language") await change([], () => ({ [name]: undefined }));
}

function begin(database) {
  try {
    return database.transaction(STORE, "readwrite", { durability: "strict" });
  } catch {
    return database.transaction(STORE, "readwrite");
  }
}

function inDatabase(database, names, judge) {
  return new Promise((done, failed) => {
    const transaction = begin(database);
    const store = transaction.objectStore(STORE);
    const values = {};
    let fault = null;
    const giveUp = (cause) => {
      fault = cause;
      transaction.abort();
    };
    const write = () => {
      try {
        const changes = judge({ ...values });
        for (const [name, value] of Object.entries(changes)) {
          if (value === undefined) store.delete(name);
          else store.put(value, name);
        }
        Object.assign(values, changes);
      } catch (cause) {
        giveUp(cause);
      }
    };
    let waiting = names.length;
    if (!waiting) write();
    for (const name of names) {
      const request = store.get(name);
      request.onsuccess = () => {
        values[name] = request.result;
        waiting -= 1;
        if (!waiting) write();
      };
    }
    transaction.oncomplete = () => done(values);
    transaction.onabort = transaction.onerror = () => failed(fault || transaction.error);
  });
}

function inMemory(names, judge) {
  const values = {};
  for (const name of names) values[name] = memory.get(name);
  const changes = judge({ ...values });
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) memory.delete(name);
    else memory.set(name, value);
  }
  return { ...values, ...changes };
}
