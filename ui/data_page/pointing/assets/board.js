// One question about one or several pictures: all of them are of a class unless they are ticked off. The classes have
// the keys 1 to 9; S skips, U takes back.

const boards = new WeakMap() // element -> Board; Streamlit calls the function below again for every update

export default function ({ data, parentElement, setTriggerValue }) {
  let board = boards.get(parentElement)
  if (!board) {
    board = new Board(parentElement)
    boards.set(parentElement, board)
  }
  board.send = setTriggerValue
  board.update(data)
  return () => {
    board.leave()
    boards.delete(parentElement)
  }
}

class Board {
  constructor(parent) {
    this.root = element("div", "board")
    this.title = element("p", "title")
    this.title.setAttribute("role", "status")
    this.pictures = element("div", "pictures")
    this.classes = element("div", "classes")
    this.others = element("div", "others")
    this.skip = button("Skip", "S", () => this.answer("skip", { question: this.data.question }))
    this.back = button("Undo", "U", () => this.answer("undo", { steps: this.data.steps }))
    this.others.append(this.skip, this.back)
    this.root.append(this.title, this.pictures, this.classes, this.others)
    parent.append(this.root)
    this.onKey = (event) => this.key(event)
    window.addEventListener("keydown", this.onKey)
  }

  leave() {
    window.removeEventListener("keydown", this.onKey)
  }

  update(data) {
    const fresh = !this.data || this.data.question !== data.question
    this.data = data
    this.waiting = false
    this.root.dataset.question = data.question
    this.root.dataset.steps = String(data.steps)
    this.root.style.setProperty("--tile", data.tiles.length > 1 ? "7.5rem" : "16rem")
    if (fresh) this.show(data.tiles)
    this.name(data.classes, data.suggested)
    this.back.disabled = !data.steps
    this.skip.disabled = !data.tiles.length
    this.head()
  }

  show(tiles) {
    this.off = new Set()
    this.tiles = tiles.map((tile) => {
      const node = element(tiles.length > 1 ? "button" : "div", `tile${tile.tiny ? " tiny" : ""}`)
      const image = element("img", "")
      Object.assign(image, { src: tile.src, alt: tile.name })
      node.append(image)
      node.title = tile.name
      if (tiles.length > 1) {
        node.type = "button"
        node.setAttribute("aria-pressed", "true")
        node.setAttribute("aria-label", `${tile.name}: belongs to them`)
        node.onclick = () => this.toggle(tile.id, node)
      }
      return node
    })
    this.pictures.replaceChildren(...this.tiles)
  }

  toggle(id, node) {
    this.off.has(id) ? this.off.delete(id) : this.off.add(id)
    node.setAttribute("aria-pressed", String(!this.off.has(id)))
    this.head()
  }

  head() {
    const { tiles } = this.data
    const chosen = tiles.length - this.off.size
    setText(
      this.title,
      !tiles.length
        ? "Every picture has been asked about."
        : tiles.length > 1
          ? `What are these ${chosen}? Press a picture that does not belong to them, then the class of the others.`
          : "What is this?",
    )
    for (const node of this.classes.children) node.disabled = !chosen
  }

  name(classes, suggested) {
    while (this.classes.children.length > classes.length) this.classes.lastChild.remove()
    classes.forEach(({ name, amount }, place) => {
      const node = this.classes.children[place] ?? this.classes.appendChild(button("", "", null))
      setText(node.querySelector(".label"), name)
      node.title = name // where it is cut
      setText(node.querySelector("kbd"), place < 9 ? String(place + 1) : "")
      setText(node.querySelector(".amount"), amount ? String(amount) : "")
      node.classList.toggle("suggested", name === suggested)
      node.setAttribute("aria-label", `${name}${name === suggested ? ", suggested" : ""}, ${amount} so far`)
      node.onclick = () => this.choose(place)
    })
  }

  choose(place) {
    const pictures = this.data.tiles.map(({ id }) => id).filter((id) => !this.off.has(id))
    if (!pictures.length || place >= this.data.classes.length) return
    this.answer("answer", { question: this.data.question, label: this.data.classes[place].name, pictures })
  }

  answer(kind, value) {
    if (this.waiting) return
    this.waiting = true // until the next question is there: a second press is not for it
    clearTimeout(this.late)
    this.late = setTimeout(() => (this.waiting = false), 3000)
    this.send(kind, { ...value, press: Date.now() })
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || writes(event.composedPath()[0])) return
    const key = event.key.toLowerCase()
    if (key >= "1" && key <= "9") this.choose(Number(key) - 1)
    else if (key === "s" && !this.skip.disabled) this.skip.click()
    else if (key === "u" && !this.back.disabled) this.back.click()
    else return
    event.preventDefault()
  }
}

function writes(node) {
  return node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName)
}

function button(label, key, onclick) {
  const node = element("button", "choice")
  node.type = "button"
  const hint = element("kbd", "")
  hint.textContent = key
  const text = element("span", "label")
  text.textContent = label
  node.append(hint, text, element("span", "amount"))
  node.onclick = onclick
  return node
}

function element(name, className) {
  const node = document.createElement(name)
  node.className = className
  return node
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}
