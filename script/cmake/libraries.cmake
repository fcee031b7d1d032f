# How the libraries and the unit tests are built.

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
                    -Wno-missing-field-initializers)  # facts are written with designated initializers
# GCC 12 reports these in the standard library's own inlined code at -O2.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)

set(SELLCOMPUTE_SANITIZE "" CACHE STRING "sanitizers to build with, such as address,undefined")
if(SELLCOMPUTE_SANITIZE)
  add_compile_options(-fsanitize=${SELLCOMPUTE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SELLCOMPUTE_SANITIZE})
  # These checks take a third of the compile time. A null pointer ends the program without them too.
  if(SELLCOMPUTE_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  endif()
endif()

# For tests in a fuzzers' build: what they reach in their own files guides no fuzzer, and takes a third of their compile time.
function(compile_without_coverage target)
  if(SELLCOMPUTE_SANITIZE MATCHES fuzzer)
    target_compile_options(${target} PRIVATE -fno-sanitize=fuzzer-no-link)
  endif()
endfunction()

# The presets compile the files of a library together in a few pieces (unity builds), because most of the compile time
# goes into headers that these files share. A name in an anonymous namespace must therefore be unique in its library.
# The preset `debug` compiles each file by itself.
function(compile_alone target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
endfunction()

# For code that is made of templates of others (Asio, Beast, websocketpp, nlohmann's JSON) and waits for the network or a
# person: the optimizer takes long and gains nothing, and debug information is ten times the code. Release builds only.
function(compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1> $<$<CONFIG:Release>:-g0>)
endfunction()

# cxxopts reads options without std::regex then, which costs each command's file six seconds.
add_compile_definitions(CXXOPTS_NO_REGEX)

# By what a file includes, not by its preprocessed text: a first build preprocesses each file once then, not twice.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 ${CCACHE})
endif()

function(add_our_library name)
  add_library(${name} STATIC ${ARGN})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  list(LENGTH ARGN files)
  if(files EQUAL 1)
    compile_alone(${name})
  endif()
endfunction()

# A library that uses sockets, disks, clocks, randomness, the environment or threads.
function(adapter_library name)
  add_our_library(${name} ${ARGN})
  set_property(GLOBAL APPEND PROPERTY ADAPTER_LIBRARIES ${name})
endfunction()

# A library that uses none of them; the test layers.pure checks its object code and its includes. It may need other pure
# libraries only.
function(pure_library name)
  add_our_library(${name} ${ARGN})
  set_property(GLOBAL APPEND PROPERTY PURE_LIBRARIES ${name})
endfunction()

# unit_test(NAME sources... LIBRARIES libs...): one GoogleTest program, which ctest runs as one test: to start a process per
# test takes longer than most tests. One of them alone: `NAME --gtest_filter=Suite.Test`.
function(unit_test name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest_main GTest::gmock)
  # Tests are compiled more often than they run, and most of their compiling is GoogleTest's headers. GoogleTest itself
  # reports where a test fails; who looks with a debugger builds the preset `debug`.
  target_compile_options(${name} PRIVATE -O0 $<$<CONFIG:Release>:-g0>)
  compile_without_coverage(${name})
  target_compile_definitions(${name} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 900)
endfunction()
