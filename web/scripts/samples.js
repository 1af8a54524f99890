// In the browser's thread for sound: passes on the samples of the first channel.

registerProcessor("samples", class extends AudioWorkletProcessor {
  process([input]) {
    if (input[0]?.length) this.port.postMessage(input[0].slice());
    return true;
  }
});
