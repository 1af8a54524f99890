// Files in requests and answers: base64, what kind a file is, and the element that shows or plays it.

const STARTS = [
  [/^\x89PNG/, "image/png"], [/^\xff\xd8\xff/, "image/jpeg"], [/^GIF8/, "image/gif"], [/^BM/, "image/bmp"],
  [/^RIFF....WEBP/s, "image/webp"], [/^RIFF....WAVE/s, "audio/wav"], [/^ID3|^\xff[\xe0-\xff]/, "audio/mpeg"],
  [/^fLaC/, "audio/flac"], [/^OggS/, "audio/ogg"], [/^\x1aE\xdf\xa3/, "video/webm"], [/^....ftypavif/s, "image/avif"],
  [/^....ftypM4A/s, "audio/mp4"], [/^....ftyp/s, "video/mp4"],
];

/** The media type of a file by its first bytes; `fallback` where they are not known. */
export function sniff(bytes, fallback) {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return STARTS.find(([pattern]) => pattern.test(start))?.[1] ?? fallback;
}

export async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Whether a file of this media type may stand for this part. */
export function isOfKind(type, part) {
  return part.media_types?.length ? part.media_types.includes(type) : type.startsWith(`${part.kind}/`);
}

/** An element that shows or plays a file. */
export function fileElement(kind, file, name) {
  const address = URL.createObjectURL(file);
  if (kind === "image") {
    const image = document.createElement("img");
    image.className = "answer-media";
    image.alt = name;
    image.src = address;
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    return image;
  }
  if (kind === "audio" || kind === "video") {
    const player = document.createElement(kind);
    player.className = "answer-media";
    player.controls = true;
    player.setAttribute("aria-label", name);
    player.src = address;
    return player;
  }
  const link = document.createElement("a");
  link.className = "button little";
  link.href = address;
  link.download = file.name || name;
  link.textContent = "Save the file";
  return link;
}

/** A file from the base64 of an answer. */
export function fileOf(text, kind, name) {
  const bytes = fromBase64(text);
  const fallback = { image: "image/png", audio: "audio/wav", video: "video/mp4" }[kind] ?? "application/octet-stream";
  // A file of any kind is saved and never opened as a page.
  const type = kind === "file" ? "application/octet-stream" : sniff(bytes, fallback);
  return new File([bytes], name, { type });
}
