// The search runs in a worker, which browsers refuse to pages of the file system. There the worker's script runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(address) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => setTimeout(() => this.onmessage?.({ data }));
      this.loaded = new Promise((resolve, reject) => {
        const script = inside.document.createElement("script");
        script.src = new URL(address, location.href);
        script.onload = () => resolve(inside);
        script.onerror = (event) => { this.onerror?.(event); reject(new Error(`${script.src} cannot be loaded`)); };
        inside.document.head.append(script);
      });
    }
    postMessage(data) {
      const copy = structuredClone(data);
      this.loaded.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data: copy })));
    }
    terminate() { this.frame.remove(); }
  };
}
