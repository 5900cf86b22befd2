// score STATION IMAGE...: a line for each image with its score, its verdict and its path.
//
// Exit code: 0, 1 where an image cannot be read, 2 where the call or the station is wrong.

Environment.SetEnvironmentVariable("ORT_DISABLE_TELEMETRY", Environment.GetEnvironmentVariable("ORT_DISABLE_TELEMETRY") ?? "1");
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: score STATION IMAGE...");
    return 2;
}
try
{
    using var station = new Station(args[0]);
    var code = 0;
    foreach (var path in args.Skip(1))
    {
        try
        {
            var (score, verdict) = station.Score(Pixels.Read(path));
            Console.WriteLine(FormattableString.Invariant($"{score:F7}\t{verdict}\t{path}"));
        }
        catch (Exception error)
        {
            Console.Error.WriteLine($"score: {path}: {error.Message}");
            code = 1;
        }
    }
    return code;
}
catch (Exception error)
{
    Console.Error.WriteLine($"score: {error.Message}");
    return 2;
}
