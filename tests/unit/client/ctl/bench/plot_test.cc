#include "client/ctl/bench/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ctl/bench/plot_axis.h"
#include "tests/unit/client/ctl/bench/bench_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Whether tags nest, attributes are quoted, and no text holds a bare < or &. Empty: well-formed.
std::string XmlFault(absl::string_view xml) {
  std::vector<std::string> open;
  while (!xml.empty()) {
    const size_t begin = xml.find('<');
    const absl::string_view text = xml.substr(0, begin);
    for (size_t at = text.find('&'); at != absl::string_view::npos; at = text.find('&', at + 1)) {
      const absl::string_view entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;") return "a bare &";
    }
    if (begin == absl::string_view::npos) break;
    const size_t end = xml.find('>', begin);
    if (end == absl::string_view::npos) return "a tag without end";
    std::string tag(xml.substr(begin + 1, end - begin - 1));
    xml.remove_prefix(end + 1);
    if (tag.find('<') != std::string::npos) return "a bare <";
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return absl::StrCat("an open quote in ", tag);
    const std::string name = tag.substr(tag[0] == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag[0] == '/' ? 1 : 0));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return absl::StrCat("</", tag.substr(1), "> closes another");
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : absl::StrCat(open.back(), " is not closed");
}

TEST(PlotTest, TheCheckerOfThisTestFindsFaults) {
  EXPECT_EQ(XmlFault("<a x=\"1\"><b/>t &amp; u</a>"), "");
  EXPECT_NE(XmlFault("<a><b></a></b>"), "");
  EXPECT_NE(XmlFault("<a>1 & 2</a>"), "");
  EXPECT_NE(XmlFault("<a x=\"1></a>"), "");
  EXPECT_NE(XmlFault("<a>"), "");
}

TEST(PlotTest, IsWellFormedWithoutScriptOrReferences) {
  BenchSetup setup = SomeSetup();
  setup.model = "<script>&\"\x1b\xff";
  BenchPoint empty;
  empty.load = 5;
  const std::vector<std::vector<BenchPoint>> runs = {
      {SomePoint(1), SomePoint(8), SomePoint(64)}, {SomePoint(1)}, {empty}, {empty, SomeBadPoint()}};
  for (const std::vector<BenchPoint>& points : runs) {
    const std::string svg = FormatBenchPlot(setup, points);
    EXPECT_EQ(XmlFault(svg), "");
    EXPECT_TRUE(absl::StartsWith(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\""));
    EXPECT_THAT(svg, Not(HasSubstr("<script")));
    EXPECT_THAT(svg, Not(HasSubstr("href")));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(PlotTest, NamesAxesUnitsAndPercentiles) {
  const std::string svg = FormatBenchPlot(SomeSetup(), {SomePoint(1), SomePoint(64)});
  for (const char* text : {"latency, ms (logarithmic)", "share of answers, %", "images per second", "p50 2 ms",
                           "p99 3 ms", "p99.9 3 ms", "with so many in flight:", ">64</text>", "mnist 0123456789ab"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(PlotAxisTest, LinearTicksAreRoundAndReachTheTop) {
  EXPECT_THAT(PlotAxis::Linear(9, 0, 100).ticks(), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(PlotAxis::Linear(100, 0, 100).ticks(), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(PlotAxis::Linear(0, 0, 100).ticks().size(), ::testing::Ge(2u));
  EXPECT_DOUBLE_EQ(PlotAxis::Linear(10, 50, 150).At(5), 100);
  EXPECT_DOUBLE_EQ(PlotAxis::Linear(10, 150, 50).At(2), 130);
}

TEST(PlotAxisTest, LogTicksEncloseTheRange) {
  EXPECT_THAT(PlotAxis::Log(0.3, 7, 0, 100).ticks(), ElementsAre(0.2, 0.5, 1, 2, 5, 10));
  EXPECT_THAT(PlotAxis::Log(1, 1, 0, 100).ticks(), ElementsAre(1, 2));
  for (const double value : {1e-6, 3e-4, 0.02, 1.0, 999.0, 5e6}) {
    const PlotAxis axis = PlotAxis::Log(value, value * 3, 0, 100);
    EXPECT_LE(axis.low(), value * (1 + 1e-6));
    EXPECT_GE(axis.high() * (1 + 1e-6), value * 3);
    EXPECT_LT(axis.ticks().size(), 6u);
  }
  const PlotAxis axis = PlotAxis::Log(1, 100, 0, 100);
  EXPECT_DOUBLE_EQ(axis.At(10), 50);
  EXPECT_DOUBLE_EQ(axis.At(1e6), 100);  // kept on the chart
  EXPECT_DOUBLE_EQ(axis.At(0), 0);
}

TEST(PlotAxisTest, TextsAreShortAndSafe) {
  EXPECT_EQ(TickText(0.05), "0.05");
  EXPECT_EQ(TickText(1500), "1,500");
  EXPECT_EQ(TickText(1'000'000), "1,000,000");
  EXPECT_EQ(XmlText("a<b>&\"\n"), "a&lt;b&gt;&amp;&quot;\\x0a");
}

}  // namespace
}  // namespace digit
