using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Jobs;

internal sealed class JobRunConfiguration : IEntityTypeConfiguration<JobRun>
{
    public void Configure(EntityTypeBuilder<JobRun> builder)
    {
        builder.ToTable("JobRuns");
        builder.Property(run => run.Kind).HasMaxLength(64);
        builder.Property(run => run.State).HasConversion<string>().HasMaxLength(16);
        builder.Property(run => run.RequestedBy).HasMaxLength(256);
        builder.Ignore(run => run.IsActive);
        builder.HasMany(run => run.Steps).WithOne().HasForeignKey(step => step.RunId).OnDelete(DeleteBehavior.Cascade);
        builder.HasMany(run => run.Marks).WithOne().HasForeignKey(mark => mark.RunId).OnDelete(DeleteBehavior.Cascade);
        builder.HasIndex(run => new { run.State, run.Kind });
    }
}

internal sealed class JobRunStepConfiguration : IEntityTypeConfiguration<JobRunStep>
{
    public void Configure(EntityTypeBuilder<JobRunStep> builder)
    {
        builder.ToTable("JobRunSteps");
        builder.HasKey(step => new { step.RunId, step.Position });
        builder.Property(step => step.Key).HasMaxLength(64);
        builder.Property(step => step.State).HasConversion<string>().HasMaxLength(16);
    }
}

internal sealed class JobRunMarkConfiguration : IEntityTypeConfiguration<JobRunMark>
{
    public void Configure(EntityTypeBuilder<JobRunMark> builder)
    {
        builder.ToTable("JobRunMarks");
        builder.Property(mark => mark.Kind).HasConversion<string>().HasMaxLength(16);
        builder.Property(mark => mark.Who).HasMaxLength(256);
    }
}
