# Compiler settings and the three functions every CMakeLists.txt of this project uses.
include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(DIGIT_MODULE_DIR ${PROJECT_BINARY_DIR}/lib/digit)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Warnings are errors for our code, with the compilers that the project is tested with; frame pointers are kept so that
# perf can walk the stack.
option(DIGIT_WERROR "Warnings are errors" ON)
add_library(digit_options INTERFACE)
set(digit_warnings -Wall -Wextra $<$<BOOL:${DIGIT_WERROR}>:-Werror> -fno-omit-frame-pointer
  -Wno-missing-field-initializers)  # designated initialisers leave the rest at its default
target_compile_options(digit_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${digit_warnings}>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-fno-omit-frame-pointer>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(digit_options INTERFACE -Wthread-safety)
endif()
if(DIGIT_SANITIZE)
  add_compile_options(-fsanitize=${DIGIT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DIGIT_SANITIZE})
  add_compile_options(-Wno-maybe-uninitialized)  # GCC's documentation: sanitizers make it warn where nothing is wrong
  # With sanitizers GCC 12 also takes the two halves of Asio's allocation of coroutines for strangers.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
  if(DIGIT_SANITIZE MATCHES thread)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)  # the thread sanitizer knows no fences; Asio locks as well
  endif()
endif()

# digit_library(NAME n SRCS ... HDRS ... DEPS ... PRIVATE_DEPS ... [TEST_ONLY])
# A static library `n`, or an interface one without SRCS. Paths are relative to the calling folder. Every header is
# also compiled on its own by the target all_verify_interface_header_sets (tests/run --all builds it).
function(digit_library)
  cmake_parse_arguments(ARG "TEST_ONLY" "NAME" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_TEST_ONLY AND NOT DIGIT_BUILD_TESTS)
    return()
  endif()
  if(ARG_SRCS)
    set(scope PUBLIC)
    add_library(${ARG_NAME} STATIC ${ARG_SRCS})
    target_link_libraries(${ARG_NAME} PRIVATE digit_options ${ARG_PRIVATE_DEPS})
  else()
    set(scope INTERFACE)
    add_library(${ARG_NAME} INTERFACE)
  endif()
  target_sources(${ARG_NAME} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HDRS})
  target_link_libraries(${ARG_NAME} ${scope} ${ARG_DEPS})
  set_target_properties(${ARG_NAME} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# digit_executable(NAME n SRCS ... DEPS ...): a program in bin/, installed.
function(digit_executable)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE digit_options ${ARG_DEPS})
  install(TARGETS ${ARG_NAME} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# digit_test(NAME n SRCS ... DEPS ... LABELS ... TIMEOUT s)
# One GoogleTest binary and one ctest entry. Without the labels torch or grpc it is also part of the target
# sanitizable_tests, which the asan and tsan presets build (Debian's torch and gRPC are not built for them).
# The test runs in the source folder, so that tests/data/... can be named as is.
function(digit_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT DIGIT_BUILD_TESTS)
    return()
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE digit_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
                       ENVIRONMENT "DIGIT_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  if("torch" IN_LIST ARG_LABELS)
    add_dependencies(torch_tests ${ARG_NAME})
  elseif(NOT "grpc" IN_LIST ARG_LABELS)
    add_dependencies(sanitizable_tests ${ARG_NAME})
  endif()
endfunction()
add_custom_target(sanitizable_tests)
add_custom_target(torch_tests)  # what tests/gpu/run builds
