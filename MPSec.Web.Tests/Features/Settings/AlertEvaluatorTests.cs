using MPSec.Features.Settings;

namespace MPSec.Tests.Features.Settings;

public sealed class AlertEvaluatorTests
{
    private static readonly AlertKey s_disk = new(AlertRule.DiskFull, "host", "/");
    private static readonly HashSet<AlertRule> s_rules = [AlertRule.DiskFull];
    private static readonly Dictionary<AlertRule, AlertLimit> s_limits = new() { [AlertRule.DiskFull] = new(95, 92, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30)) };

    [Theory]
    [InlineData("0:96 59:96", "")]
    [InlineData("0:96 60:96", "60+")]
    [InlineData("0:96 30:94 60:96 90:96", "")] // it was good in between
    [InlineData("0:96 30:? 60:96 90:96", "")] // nobody knows what was in between
    [InlineData("0:96 60:96 70:93 100:93 200:93", "60+")] // not bad enough to raise, not good enough to clear
    [InlineData("0:96 60:96 70:91 99:91", "60+")]
    [InlineData("0:96 60:96 70:91 100:91", "60+ 100-")]
    [InlineData("0:96 60:96 70:91 80:96 100:91 129:91", "60+")]
    [InlineData("0:96 60:96 70:x 100:x 200:x", "60+ 100-")] // taken away
    [InlineData("0:96 30:x 60:96 100:96", "")]
    [InlineData("0:96 60:96 61:? 1000:?", "60+")] // unknown is not good
    public void Evaluate_OverTime_RaisesAndClearsOnce(string values, string expected)
    {
        var evaluator = new AlertEvaluator(s_limits);
        var changes = new List<string>();
        foreach (var (seconds, value) in values.Split(' ').Select(v => v.Split(':')).Select(v => (int.Parse(v[0], System.Globalization.CultureInfo.InvariantCulture), v[1])))
        {
            AlertObservation[] observations = value switch
            {
                "x" => [],
                "?" => [new(s_disk, null)],
                _ => [new(s_disk, double.Parse(value, System.Globalization.CultureInfo.InvariantCulture))],
            };
            changes.AddRange(evaluator.Evaluate("host", observations, s_rules, TimeSpan.FromSeconds(seconds), default).Select(c => $"{seconds}{(c.Raised ? '+' : '-')}"));
        }

        Assert.Equal(expected, string.Join(' ', changes));
    }

    [Fact]
    public void Evaluate_AnotherGatewayOrRule_LeavesAlertsAlone()
    {
        var evaluator = new AlertEvaluator(s_limits);
        evaluator.Resume(s_disk);
        Assert.Empty(evaluator.Evaluate("lab-a", [], s_rules, TimeSpan.FromHours(1), default));
        Assert.Empty(evaluator.Evaluate("host", [], new HashSet<AlertRule> { AlertRule.PathDown }, TimeSpan.FromHours(2), default));
        Assert.Equal([s_disk], evaluator.Raised);
    }

    [Fact]
    public void Evaluate_RandomValues_AlternatesAndNeverTooEarly()
    {
        var random = new Random(11);
        for (var run = 0; run < 50; run++)
        {
            var evaluator = new AlertEvaluator(s_limits);
            var (raised, now, badSince) = (false, 0, (int?)null);
            for (var step = 0; step < 400; step++)
            {
                now += random.Next(1, 15);
                double? value = random.Next(8) switch { 0 => null, 1 or 2 => 90, 3 => 93, _ => 97 };
                badSince = value >= 95 ? badSince ?? now : null;
                foreach (var change in evaluator.Evaluate("host", [new(s_disk, value)], s_rules, TimeSpan.FromSeconds(now), default))
                {
                    Assert.NotEqual(raised, change.Raised);
                    raised = change.Raised;
                    Assert.True(!raised || now - badSince >= 60);
                }

                Assert.Equal(raised, evaluator.Raised.Any());
            }
        }
    }
}
