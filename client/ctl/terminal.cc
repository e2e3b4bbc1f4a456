#include "client/ctl/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace digit {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);

// Length of the well-formed UTF-8 sequence at the start of `text` (Unicode 15, table 3-7), 0 if there is none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [text](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&byte](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    return tail(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    return tail(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string Repair(absl::string_view text, bool escape_controls) {
  std::string out;
  while (!text.empty()) {
    const size_t n = Utf8Length(text);
    const unsigned char first = text[0];
    const bool control = first < 0x20 || first == 0x7F || (n == 2 && first == 0xC2 && text[1] < '\xA0');
    if (n == 0) {
      out.append(kReplacement.data(), kReplacement.size());
    } else if (escape_controls && control) {
      absl::StrAppendFormat(&out, "\\x%02x", n == 2 ? static_cast<unsigned char>(text[1]) : first);
    } else {
      out.append(text.data(), n);
    }
    text.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

}  // namespace

Terminal DetectTerminal() {
  Terminal terminal;
  setlocale(LC_CTYPE, "");
  terminal.unicode = absl::string_view(nl_langinfo(CODESET)) == "UTF-8";
  terminal.stdout_is_terminal = isatty(STDOUT_FILENO) != 0;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || absl::string_view(term) == "dumb";
  terminal.shows_progress = isatty(STDERR_FILENO) != 0 && !dumb;
  terminal.color = terminal.stdout_is_terminal && !dumb && (no_color == nullptr || *no_color == '\0');
  winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.stderr_width = size.ws_col;
  return terminal;
}

std::string Printable(absl::string_view text) { return Repair(text, /*escape_controls=*/true); }
std::string ValidUtf8(absl::string_view text) { return Repair(text, /*escape_controls=*/false); }

int DisplayWidth(absl::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const size_t n = std::max<size_t>(Utf8Length(text), 1);
    wchar_t wide = 0;
    mbstate_t state{};
    const bool known = mbrtowc(&wide, text.data(), n, &state) == n;  // fails in a locale without UTF-8
    columns += std::max(known ? wcwidth(wide) : 1, 0);
    text.remove_prefix(n);
  }
  return columns;
}

std::string FormatProgress(int64_t done, int64_t total, absl::Duration elapsed, int width, bool unicode) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  std::string counts = absl::StrFormat("  %d/%d", done, total);
  if (done > 0 && seconds > 0) {
    const double rate = static_cast<double>(done) / seconds;
    const int64_t left = static_cast<int64_t>(static_cast<double>(total - done) / rate + 0.5);
    absl::StrAppendFormat(&counts, "  %.*f/s", rate < 10 ? 1 : 0, rate);
    absl::StrAppendFormat(&counts, "  %d:%02d left", left / 60, left % 60);
  }
  const int cells = std::min(width - static_cast<int>(counts.size()) - 2, 40);
  if (cells < 5) return counts.substr(0, std::max(width, 0));
  const int full = total > 0 ? static_cast<int>(cells * done / total) : 0;
  std::string bar;
  for (int i = 0; i < cells; ++i) bar += i >= full ? " " : unicode ? "█" : "#";
  return absl::StrCat("[", bar, "]", counts);
}

ProgressBar::ProgressBar(const Terminal& terminal, int64_t total)
    : terminal_(terminal), total_(total), start_(absl::Now()), last_drawn_(start_) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void ProgressBar::Advance() {
  ++done_;
  if (!terminal_.shows_progress) return;
  const absl::Time now = absl::Now();
  if (now - last_drawn_ < kRedrawEvery) return;
  last_drawn_ = now;
  drawn_ = true;
  // One column is left free: a terminal that is full to the edge would wrap.
  const std::string bar = FormatProgress(done_, total_, now - start_, terminal_.stderr_width - 1, terminal_.unicode);
  std::fputs(absl::StrCat("\r\x1b[K", bar).c_str(), stderr);
}

}  // namespace digit
