#include "model/dataset/digit_generator.h"

#include "model/dataset/glyphs.h"
#include "model/dataset/non_digits.h"
#include "model/dataset/strokes.h"

namespace digit {
namespace {

constexpr double kJitterUnits = 2.5;  // of 100; judged by eye and by a network trained on MNIST

}  // namespace

DigitGenerator::DigitGenerator(uint64_t seed) : random_(seed) {}

DigitGenerator::Pixels DigitGenerator::Draw(int digit) {
  const std::vector<Glyph>& styles = DigitGlyphs(digit);
  const Glyph& style = styles[random_.UniformInt(0, static_cast<int>(styles.size()) - 1)];
  const Glyph glyph = Jittered(style, kJitterUnits, random_);
  return DrawGlyph(glyph, RandomHand(random_));
}

DigitGenerator::Pixels DigitGenerator::DrawNonDigit() { return DrawNonDigitPicture(random_); }

LabeledImages DigitGenerator::DrawMany(int count) {
  LabeledImages set;
  for (int i = 0; i < count; ++i) {
    const Pixels pixels = Draw(i % 10);
    set.pixels.insert(set.pixels.end(), pixels.begin(), pixels.end());
    set.labels.push_back(static_cast<uint8_t>(i % 10));
  }
  return set;
}

std::vector<uint8_t> DigitGenerator::DrawManyNonDigits(int count) {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    const Pixels picture = DrawNonDigit();
    pixels.insert(pixels.end(), picture.begin(), picture.end());
  }
  return pixels;
}

}  // namespace digit
