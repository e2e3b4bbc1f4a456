// Rows as columns, for people.
#pragma once

#include <string>
#include <vector>

namespace digit {

using Row = std::vector<std::string>;

// A line for each row: columns as wide as their widest cell, two blanks between, none at the end. Cells are printable;
// all rows have as many.
std::vector<std::string> FormatRows(const std::vector<Row>& rows);
// The same as one text.
std::string FormatTable(const std::vector<Row>& rows);

}  // namespace digit
