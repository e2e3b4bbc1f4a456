#include "model/engine/matrix_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "model/engine/sparse_kernels.h"
#include "tests/unit/model/engine/every_target.h"
#include "tests/unit/model/engine/random_values.h"

namespace digit {
namespace {

// Seeded weights in packed order, and what the products with them should be.
struct TestMatrix {
  TestMatrix(uint32_t seed, int inner, int columns, int panel)
      : values(RandomValues(seed, size_t{1} * inner * columns)),
        bias(RandomValues(seed + 1, columns)),
        packed{inner, columns, panel, values.data()} {}

  // The largest possible rounding: every product and sum below `inner` in size.
  double Tolerance() const { return 3e-7 * packed.inner; }
  double Product(const float* a, int column) const {
    double sum = 0;
    for (int i = 0; i < packed.inner; ++i) sum += double{a[i]} * values[packed.Index(i, column)];
    return sum;
  }

  std::vector<float> values, bias;
  PackedMatrix packed;
};

std::vector<TestMatrix> TestMatrices() {
  std::vector<TestMatrix> matrices;
  for (int panel : {16, 64}) {
    for (int columns : {16, 48, 64, 80, 144}) matrices.emplace_back(columns + panel, 32, columns, panel);
    matrices.emplace_back(7, 1600, 128, panel);
    matrices.emplace_back(8, 4112, 16, panel);  // more than one stretch of non-zeros
  }
  return matrices;
}

std::string Describe(const TestMatrix& m) {
  return testing::PrintToString(m.packed.inner) + "x" + testing::PrintToString(m.packed.columns) + " in panels of " +
         testing::PrintToString(m.packed.panel);
}

TEST(MatrixKernelsTest, EveryElementHasItsOwnPlace) {
  for (const TestMatrix& m : TestMatrices()) {
    std::set<size_t> places;
    for (int row = 0; row < m.packed.inner; ++row) {
      for (int column = 0; column < m.packed.columns; ++column) places.insert(m.packed.Index(row, column));
    }
    EXPECT_EQ(places.size(), m.values.size()) << Describe(m);
    EXPECT_EQ(*places.rbegin(), m.values.size() - 1) << Describe(m);
  }
}

TEST(MatrixKernelsTest, AgreesWithPlainLoopsForAnyNumberOfRows) {
  for (const TestMatrix& m : TestMatrices()) {
    SCOPED_TRACE(Describe(m));
    const std::vector<float> a = RandomValues(5, size_t{14} * m.packed.inner);
    OnEveryTarget([&] {
      for (int rows = 1; rows <= 14; ++rows) {
        std::vector<float> c(rows * m.packed.columns + 1, 123);
        MultiplyAddBias(rows, m.packed, m.bias.data(), Activation::kNone, a.data(), c.data());
        EXPECT_EQ(c.back(), 123) << "beyond the end";
        for (int i = 0; i + 1 < static_cast<int>(c.size()); i += 7) {
          const int column = i % m.packed.columns;
          const double want = m.bias[column] + m.Product(&a[i / m.packed.columns * m.packed.inner], column);
          ASSERT_NEAR(c[i], want, m.Tolerance()) << rows << " rows, at " << i;
        }
      }
    });
  }
}

TEST(MatrixKernelsTest, ARowHasTheSameBitsInAnyCompanyAndWithZerosSkipped) {
  for (const TestMatrix& m : TestMatrices()) {
    SCOPED_TRACE(Describe(m));
    for (uint32_t zeros : {0, 5, 9, 10}) {
      SCOPED_TRACE(testing::Message() << zeros << " zeros of ten");
      const std::vector<float> a = RandomValues(6, size_t{7} * m.packed.inner, zeros);
      for (Activation activation : {Activation::kNone, Activation::kRelu}) {
        OnEveryTarget([&] {
          std::vector<float> together(7 * m.packed.columns), alone(m.packed.columns), skipped(m.packed.columns);
          MultiplyAddBias(7, m.packed, m.bias.data(), activation, a.data(), together.data());
          for (int row = 0; row < 7; ++row) {
            const float* one = &a[size_t{1} * row * m.packed.inner];
            MultiplyAddBias(1, m.packed, m.bias.data(), activation, one, alone.data());
            MultiplySparseRow(m.packed, m.bias.data(), activation, one, skipped.data());
            const std::vector<float> want(together.begin() + row * m.packed.columns,
                                          together.begin() + (row + 1) * m.packed.columns);
            ASSERT_EQ(alone, want) << "row " << row;
            ASSERT_EQ(skipped, want) << "row " << row;
          }
        });
      }
    }
  }
}

TEST(MatrixKernelsTest, ReluCutsWhatIsBelowZero) {
  const TestMatrix m(3, 32, 48, 64);
  const std::vector<float> a = RandomValues(4, 2 * 32);
  OnEveryTarget([&] {
    std::vector<float> plain(2 * 48), cut(2 * 48);
    MultiplyAddBias(2, m.packed, m.bias.data(), Activation::kNone, a.data(), plain.data());
    MultiplyAddBias(2, m.packed, m.bias.data(), Activation::kRelu, a.data(), cut.data());
    int below = 0;
    for (size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(cut[i], std::max(plain[i], 0.0f));
      below += plain[i] < 0 ? 1 : 0;
    }
    EXPECT_GT(below, 10);
  });
}

TEST(MatrixKernelsTest, MultipliesTheTilesOfEveryMatrix) {
  constexpr int kCount = 5, kInner = 32, kColumns = 48, kStep = kTiles * kInner + 16, kOutStep = kTiles * kColumns + 16;
  std::vector<float> all;
  std::vector<TestMatrix> matrices;
  for (int i = 0; i < kCount; ++i) {
    matrices.emplace_back(i, kInner, kColumns, kTilesPanel);
    all.insert(all.end(), matrices.back().values.begin(), matrices.back().values.end());
  }
  const std::vector<float> a = RandomValues(9, kCount * kStep);
  OnEveryTarget([&] {
    std::vector<float> c(kCount * kOutStep, 123);
    MultiplyTiles(kCount, {kInner, kColumns, kTilesPanel, all.data()}, a.data(), kStep, c.data(), kOutStep);
    for (int i = 0; i < kCount * kOutStep; ++i) {
      const int matrix = i / kOutStep, row = i % kOutStep / kColumns, column = i % kOutStep % kColumns;
      if (row == kTiles) {
        ASSERT_EQ(c[i], 123) << "between products";
      } else {
        const TestMatrix& m = matrices[matrix];
        ASSERT_NEAR(c[i], m.Product(&a[matrix * kStep + row * kInner], column), m.Tolerance()) << i;
      }
    }
  });
}

TEST(MatrixKernelsTest, CountsWhatIsNotZero) {
  for (uint32_t zeros : {0, 3, 10}) {
    std::vector<float> a = RandomValues(2, 1600, zeros);
    a[5] = -0.0f;
    int want = 0;
    for (float value : a) want += value != 0 ? 1 : 0;
    OnEveryTarget([&] { EXPECT_EQ(CountNonZero(a.data(), 1600), want); });
  }
}

}  // namespace
}  // namespace digit
