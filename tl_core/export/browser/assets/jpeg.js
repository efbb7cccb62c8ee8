// What a picture loses when it is stored as a JPEG of quality 95 with all of its colour (4:4:4), as a dataset stores
// large ones: the steps of libjpeg (ITU-T T.81, Annexes A and K), without writing a file.

const QUALITY = 95
const BRIGHTNESS = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
]
const COLOUR = Array.from({ length: 64 }, (_, at) => {
  const corner = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
  ]
  return corner[at >> 3]?.[at & 7] ?? 99
})
const WAVES = Float64Array.from({ length: 64 }, (_, at) => {
  const [wave, place] = [at >> 3, at & 7]
  return (wave ? 0.5 : Math.SQRT1_2 / 2) * Math.cos(((2 * place + 1) * wave * Math.PI) / 16)
})
const STEPS = [BRIGHTNESS, COLOUR, COLOUR].map((table) =>
  table.map((value) => Math.max(1, Math.floor((value * (200 - 2 * QUALITY) + 50) / 100))),
)

function asStored(picture, { lossless }) {
  const { width, height, data } = picture
  if (width * height <= lossless) return picture
  const found = new Uint8Array(data.length)
  const blocks = [0, 1, 2].map(() => new Float64Array(64))
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      take(picture, left, top, blocks)
      blocks.forEach((block, number) => coarsened(block, STEPS[number]))
      put(blocks, left, top, { width, height, data: found })
    }
  }
  return { width, height, data: found }
}

// Brightness and two colours around 0 of 8 x 8 pixels; beyond the edge those at the edge.
function take({ width, height, data }, left, top, [brightness, blue, red]) {
  for (let place = 0; place < 64; place++) {
    const row = Math.min(height - 1, top + (place >> 3))
    const at = 3 * (row * width + Math.min(width - 1, left + (place & 7)))
    const [r, g, b] = [data[at], data[at + 1], data[at + 2]]
    brightness[place] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) - 128
    blue[place] = (-11059 * r - 21709 * g + 32768 * b + 32767) >> 16
    red[place] = (32768 * r - 27439 * g - 5329 * b + 32767) >> 16
  }
}

function put([brightness, blue, red], left, top, { width, height, data }) {
  for (let place = 0; place < 64; place++) {
    const [row, column] = [top + (place >> 3), left + (place & 7)]
    if (row >= height || column >= width) continue
    const at = 3 * (row * width + column)
    const [y, cb, cr] = [brightness[place], blue[place], red[place]].map((value) => bounded(Math.round(value) + 128))
    data[at] = bounded(y + ((91881 * (cr - 128) + 32768) >> 16))
    data[at + 1] = bounded(y + ((-22554 * (cb - 128) - 46802 * (cr - 128) + 32768) >> 16))
    data[at + 2] = bounded(y + ((116130 * (cb - 128) + 32768) >> 16))
  }
}

function coarsened(block, steps) {
  transform(block, false)
  for (let at = 0; at < 64; at++) {
    const parts = Math.round(8 * block[at]) / (8 * steps[at]) // libjpeg has eighths, which decides the halves
    block[at] = steps[at] * Math.sign(parts) * Math.floor(Math.abs(parts) + 0.5)
  }
  transform(block, true)
}

// The cosine transform of 8 x 8 numbers in their place, or its inverse: along the rows, then along the columns.
const line = new Float64Array(8)
function transform(block, inverse) {
  for (const [next, step] of [
    [8, 1],
    [1, 8],
  ]) {
    for (let start = 0; start < 8 * next; start += next) {
      for (let to = 0; to < 8; to++) {
        let sum = 0
        for (let from = 0; from < 8; from++) {
          sum += block[start + from * step] * WAVES[inverse ? 8 * from + to : 8 * to + from]
        }
        line[to] = sum
      }
      for (let to = 0; to < 8; to++) block[start + to * step] = line[to]
    }
  }
}

function bounded(value) {
  return value < 0 ? 0 : value > 255 ? 255 : value
}
