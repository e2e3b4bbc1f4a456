#include "model/image/ink_components.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace digit {
namespace {

// Pixels at or above kWeak form pieces; a piece without one at kStrong is grain. Measured with
// tests/integration/image_variants_test.cc.
constexpr int kWeak = 64;
constexpr int kStrong = 128;
constexpr double kLeastMass = 0.01;  // of the largest piece's

struct Piece {
  int left, top, right, bottom;  // inclusive
  int64_t mass = 0;
  int peak = 0;
  bool kept = true;

  bool TouchesBorder(const GreyPicture& ink) const {
    return left == 0 || top == 0 || right == ink.width - 1 || bottom == ink.height - 1;
  }
  int Side() const { return std::max(right - left, bottom - top) + 1; }
};

// Collects the piece that holds pixel `start` and marks its pixels with `label`. Eight neighbours.
Piece Flood(const GreyPicture& ink, int start, int label, std::vector<int>& labels, std::vector<int>& stack) {
  Piece piece{start % ink.width, start / ink.width, start % ink.width, start / ink.width};
  labels[start] = label;
  stack.assign(1, start);
  while (!stack.empty()) {
    const int at = stack.back();
    stack.pop_back();
    const int x = at % ink.width, y = at / ink.width;
    piece.left = std::min(piece.left, x);
    piece.right = std::max(piece.right, x);
    piece.top = std::min(piece.top, y);
    piece.bottom = std::max(piece.bottom, y);
    piece.mass += ink.pixels[at];
    piece.peak = std::max<int>(piece.peak, ink.pixels[at]);
    for (int v = std::max(0, y - 1); v <= std::min(ink.height - 1, y + 1); ++v) {
      for (int u = std::max(0, x - 1); u <= std::min(ink.width - 1, x + 1); ++u) {
        const int next = v * ink.width + u;
        if (labels[next] >= 0 || ink.pixels[next] < kWeak) continue;
        labels[next] = label;
        stack.push_back(next);
      }
    }
  }
  return piece;
}

// Decides which pieces belong to the digit.
void Select(const GreyPicture& ink, std::vector<Piece>& pieces) {
  const int picture_side = std::max(ink.width, ink.height);
  int64_t most_mass = 0;
  bool any_inside = false;  // a piece of a readable size that does not run out of the picture
  for (Piece& piece : pieces) {
    piece.kept = piece.peak >= kStrong;
    any_inside |= piece.kept && !piece.TouchesBorder(ink) && piece.Side() * 10 >= picture_side;
  }
  for (Piece& piece : pieces) {
    if (any_inside && piece.TouchesBorder(ink)) piece.kept = false;
    if (piece.kept) most_mass = std::max(most_mass, piece.mass);
  }
  for (Piece& piece : pieces) {
    if (static_cast<double>(piece.mass) < kLeastMass * static_cast<double>(most_mass)) piece.kept = false;
  }
}

}  // namespace

absl::StatusOr<PixelBox> KeepDigit(GreyPicture& ink) {
  std::vector<int> labels(ink.pixels.size(), -1);
  std::vector<int> stack;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < ink.pixels.size(); ++i) {
    if (ink.pixels[i] < kWeak || labels[i] >= 0) continue;
    pieces.push_back(Flood(ink, static_cast<int>(i), static_cast<int>(pieces.size()), labels, stack));
  }
  Select(ink, pieces);
  for (size_t i = 0; i < ink.pixels.size(); ++i) {
    if (labels[i] >= 0 && !pieces[labels[i]].kept) ink.pixels[i] = 0;
  }
  Piece all{ink.width, ink.height, -1, -1};
  for (const Piece& piece : pieces) {
    if (!piece.kept) continue;
    all.left = std::min(all.left, piece.left);
    all.right = std::max(all.right, piece.right);
    all.top = std::min(all.top, piece.top);
    all.bottom = std::max(all.bottom, piece.bottom);
  }
  // A 64th of the side is a dot, not a digit: dust on a page.
  if (all.right < 0 || all.Side() < std::max(3, std::max(ink.width, ink.height) / 64)) {
    return absl::NotFoundError("no digit found: the picture is blank but for specks");
  }
  return PixelBox{all.left, all.top, all.right - all.left + 1, all.bottom - all.top + 1};
}

}  // namespace digit
