// What a test wants to know of the view that stands: texts too small or too faint, targets too narrow.
() => {
  const seen = (element) =>
    element.getClientRects().length > 0 &&
    getComputedStyle(element).visibility !== "hidden" &&
    !element.closest(".unseen");
  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] !== 0) throw new Error("half transparent: " + each.outerHTML.slice(0, 80));
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    (element) => seen(element) && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
  );
  const described = (element) =>
    `${element.tagName}#${element.id}.${element.className} "${(element.textContent || "").slice(0, 40)}"`;
  const contrast = (element) => {
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    return (one + 0.05) / (other + 0.05);
  };
  const targets = [...document.querySelectorAll("button, a[href], input")].filter(seen);
  return {
    small: texts.filter((element) => parseFloat(getComputedStyle(element).fontSize) < 18).map(described),
    faint: texts
      .filter((element) => contrast(element) < 4.5)
      .map((element) => `${described(element)} ${contrast(element).toFixed(2)}`),
    narrow: targets
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width < 48 || height < 48;
      })
      .map(described),
    texts: texts.length,
    wide: document.documentElement.scrollWidth > innerWidth,
    lang: document.documentElement.lang,
    heading: document.querySelectorAll("h1").length,
  };
};
