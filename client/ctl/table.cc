#include "client/ctl/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ctl/terminal.h"

namespace digit {

std::vector<std::string> FormatRows(const std::vector<Row>& rows) {
  std::vector<int> widths(rows.empty() ? 0 : rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(static_cast<size_t>(widths[i] + 2 - DisplayWidth(row[i])), ' '));
    }
    lines.push_back(absl::StrCat(absl::StripTrailingAsciiWhitespace(line), "\n"));
  }
  return lines;
}

std::string FormatTable(const std::vector<Row>& rows) { return absl::StrJoin(FormatRows(rows), ""); }

}  // namespace digit
