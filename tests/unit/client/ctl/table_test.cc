#include "client/ctl/table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCellAndLinesEndWithTheirText) {
  EXPECT_EQ(FormatTable({{"ID", "LABEL", "X"}, {"1", "not a digit", ""}, {"12345", "7", "y"}}),
            "ID     LABEL        X\n"
            "1      not a digit\n"
            "12345  7            y\n");
  EXPECT_EQ(FormatTable({}), "");
}

}  // namespace
}  // namespace digit
