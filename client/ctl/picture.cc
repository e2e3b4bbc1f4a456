#include "client/ctl/picture.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace digit {
namespace {

constexpr absl::string_view kIndent = "    ";
constexpr absl::string_view kInk = " .:-=+*#%@";  // in order of darkness

int Grey256(int value) { return 232 + value * 24 / 256; }

// One character for two pixels, one above the other.
std::string HalfBlocks(int top, int bottom) {
  const bool upper = top >= 128, lower = bottom >= 128;
  return upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
}

// The upper half in the foreground's colour, the lower in the background's; `last` saves repeating the colours.
std::string ColoredHalfBlocks(int top, int bottom, std::string* last) {
  const std::string colors = absl::StrFormat("\x1b[38;5;%d;48;5;%dm", Grey256(top), Grey256(bottom));
  if (colors == *last) return "▀";
  *last = colors;
  return colors + "▀";
}

std::string Ascii(int top, int bottom) {
  return std::string(1, kInk[(top + bottom) * static_cast<int>(kInk.size()) / 512]);
}

}  // namespace

std::string DrawPicture(absl::string_view pixels, bool unicode, bool color) {
  if (pixels.size() != kPictureSide * kPictureSide) return "";
  const auto at = [pixels](int row, int column) {
    return static_cast<int>(static_cast<unsigned char>(pixels[row * kPictureSide + column]));
  };
  std::string rule;
  for (int i = 0; i < kPictureSide; ++i) rule += unicode ? "─" : "-";
  const char* side = unicode ? "│" : "|";
  std::string out = absl::StrCat(kIndent, unicode ? "┌" : "+", rule, unicode ? "┐" : "+", "\n");
  for (int row = 0; row < kPictureSide; row += 2) {
    absl::StrAppend(&out, kIndent, side);
    std::string last_colors;
    for (int column = 0; column < kPictureSide; ++column) {
      const int top = at(row, column), bottom = at(row + 1, column);
      out += !unicode ? Ascii(top, bottom)
             : color  ? ColoredHalfBlocks(top, bottom, &last_colors)
                      : HalfBlocks(top, bottom);
    }
    absl::StrAppend(&out, unicode && color ? "\x1b[0m" : "", side, "\n");
  }
  return absl::StrCat(out, kIndent, unicode ? "└" : "+", rule, unicode ? "┘" : "+", "\n");
}

}  // namespace digit
