// score STATION IMAGE...: a line for each image with its score, its verdict and its path.
//
// Exit code: 0, 1 where an image cannot be read, 2 where the call or the station is wrong.

#include "image.hpp"
#include "station.hpp"

#include <cstdio>
#include <exception>

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "usage: score STATION IMAGE...\n");
        return 2;
    }
    try {
        Station station(words[1]);
        int code = 0;
        for (int number = 2; number < count; ++number) {
            try {
                const Result result = station.score(read_image(words[number]));
                std::printf("%.7f\t%s\t%s\n", result.score, result.verdict.c_str(), words[number]);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "score: %s\n", error.what());
                code = 1;
            }
        }
        return code;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "score: %s\n", error.what());
        return 2;
    }
}
