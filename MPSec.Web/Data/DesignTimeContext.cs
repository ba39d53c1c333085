using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace MPSec.Data;

/// <summary>Gives <c>dotnet ef</c> a context without starting the web application; no database is opened.</summary>
public sealed class DesignTimeContext : IDesignTimeDbContextFactory<MPSecDbContext>
{
    /// <inheritdoc/>
    public MPSecDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<MPSecDbContext>().UseSqlite("Data Source=:memory:").Options);
}
