// The browser side of the watched images: one small chart each, whose lines are brought up to date in place.

const SVG = "http://www.w3.org/2000/svg"
const [WIDTH, HEIGHT] = [200, 80] // of the drawing; it is stretched to the room there is

const panels = new WeakMap() // element -> Panel; Streamlit calls the function below again for every update

export default function ({ data, parentElement }) {
  let panel = panels.get(parentElement)
  if (!panel) {
    panel = new Panel(parentElement)
    panels.set(parentElement, panel)
  }
  panel.update(data)
  return () => {
    panel.root.remove()
    panels.delete(parentElement)
  }
}

class Panel {
  constructor(parent) {
    this.root = element("div", "watched")
    this.cards = []
    parent.append(this.root)
  }

  update({ epochs, last, pictures }) {
    while (this.cards.length < pictures.length) {
      const card = new Card()
      this.cards.push(card)
      this.root.append(card.root)
    }
    while (this.cards.length > pictures.length) this.cards.pop().root.remove()
    pictures.forEach((picture, place) => this.cards[place].update(picture, epochs, last))
    this.root.dataset.epochs = String(epochs.at(-1) ?? 0)
  }
}

class Card {
  constructor() {
    this.root = element("figure", "picture")
    this.thumbnail = element("img", "thumbnail")
    this.answer = element("div", "answer")
    this.name = element("div", "name")
    this.verdict = element("div", "name")
    this.legend = element("ul", "legend")
    this.from = element("span", "")
    this.to = element("span", "")
    this.lines = []
    const words = element("div", "words")
    words.append(this.answer, this.verdict, this.name)
    const head = element("div", "head")
    head.append(this.thumbnail, words)
    const axis = element("div", "axis")
    axis.append(this.from, this.to)
    this.svg = drawing()
    const [plot, scale] = [element("div", "plot"), element("div", "scale")]
    for (const text of ["100 %", "50 %", "0 %"]) {
      setText(scale.appendChild(element("span", "")), text)
    }
    plot.append(scale, this.svg)
    this.root.append(head, plot, axis, this.legend)
  }

  update(picture, epochs, last) {
    this.picture = picture
    this.epochs = epochs
    if (this.thumbnail.getAttribute("src") !== picture.picture) this.thumbnail.src = picture.picture
    this.thumbnail.alt = picture.name
    const best = picture.answers[0]
    setText(this.answer, best ? `${best.name} · ${best.text}` : "No answer yet")
    setText(this.name, picture.name)
    this.name.title = picture.name
    setText(this.verdict, verdict(picture))
    this.svg.setAttribute("aria-label", picture.description)
    this.drawLines(picture.lines, epochs, last)
    this.drawLegend(picture.answers)
    setText(this.from, best ? "epoch 1" : "After the first epoch")
    setText(this.to, best ? `epoch ${last}` : "")
  }

  drawLines(lines, epochs, last) {
    while (this.lines.length < lines.length) {
      const line = document.createElementNS(SVG, "path")
      line.setAttribute("class", "line")
      this.lines.push(line)
      this.svg.append(line)
    }
    while (this.lines.length > lines.length) this.lines.pop().remove()
    lines.forEach(({ color, dashed, values, name }, place) => {
      const line = this.lines[place]
      line.classList.toggle("dashed", dashed)
      line.setAttribute("d", path(epochs, values, last))
      line.setAttribute("stroke", color)
      line.dataset.name = name
    })
  }

  drawLegend(answers) {
    while (this.legend.children.length < answers.length) {
      const entry = element("li", "entry")
      entry.append(element("i", ""), element("span", ""), element("b", ""))
      this.legend.append(entry)
    }
    while (this.legend.children.length > answers.length) this.legend.lastChild.remove()
    answers.forEach(({ name, text, color, dashed }, place) => {
      const [swatch, label, value] = this.legend.children[place].children
      swatch.style.borderColor = color
      swatch.classList.toggle("dashed", dashed)
      setText(label, name)
      label.title = name
      setText(value, text)
    })
  }
}

function drawing() {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute("preserveAspectRatio", "none")
  svg.setAttribute("role", "img")
  for (const share of [0, 0.5, 1]) {
    const line = document.createElementNS(SVG, "line")
    const y = height(share)
    for (const [name, value] of Object.entries({ x1: 0, x2: WIDTH, y1: y, y2: y, class: "grid" })) {
      line.setAttribute(name, value)
    }
    svg.append(line)
  }
  return svg
}

// The lines of a run of one epoch are dots: a line of no length with round ends.
function path(epochs, values, last) {
  let pen = "M"
  const points = epochs.flatMap((epoch, place) => {
    if (values[place] === null) {
      pen = "M"
      return []
    }
    const x = last > 1 ? ((epoch - 1) / (last - 1)) * WIDTH : WIDTH / 2
    const point = `${pen}${x.toFixed(1)} ${height(values[place]).toFixed(1)}`
    pen = "L"
    return [point]
  })
  return points.length === 1 ? `${points[0]}h0.01` : points.join("")
}

function height(share) {
  return HEIGHT * (1 - share)
}

function verdict({ truth, right }) {
  if (truth === null) return ""
  return right === null ? `It is ${truth}.` : right ? `Right: it is ${truth}.` : `Wrong: it is ${truth}.`
}

function element(name, className) {
  const node = document.createElement(name)
  node.className = className
  return node
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}
