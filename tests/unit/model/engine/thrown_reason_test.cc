#include "model/engine/thrown_reason.h"

#include <gtest/gtest.h>

namespace digit {
namespace {

TEST(ThrownReasonTest, IsTheLineAfterTheLastRuntimeError) {
  EXPECT_EQ(
      ReasonOf("The following operation failed in the TorchScript interpreter.\nTraceback:\n  File \"x\", line 3\n"
               "RuntimeError: no more than two, please\n"),
      "no more than two, please");
}

TEST(ThrownReasonTest, SkipsEmptyLinesAndThoseOfSignsAlone) {
  EXPECT_EQ(ReasonOf("\n  \n~~~\n  Unknown builtin op: aten::nope.\nHere are some suggestions"),
            "Unknown builtin op: aten::nope.");
}

TEST(ThrownReasonTest, LeavesOutWhatLibTorchSaysOfItself) {
  EXPECT_EQ(ReasonOf("Expected isTuple() to be true, but got false.  (Could this error message be improved?  If so, "
                     "please report an enhancement request to PyTorch.)"),
            "Expected isTuple() to be true, but got false.");
  EXPECT_EQ(ReasonOf("[enforce fail at inline_container.cc:222] . file not found: m/constants.pkl"),
            "file not found: m/constants.pkl");
  EXPECT_EQ(ReasonOf("undefined value nope:\n  File \"code/__torch__.py\", line 3"), "undefined value nope");
}

TEST(ThrownReasonTest, IsNeverEmpty) {
  for (const char* what : {"", "\n\n", "RuntimeError: ", "RuntimeError: \n", "[enforce fail at x.cc:1] . "}) {
    EXPECT_FALSE(ReasonOf(what).empty()) << what;
  }
}

}  // namespace
}  // namespace digit
